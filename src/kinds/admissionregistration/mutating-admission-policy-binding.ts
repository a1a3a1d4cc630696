import type { MutatingAdmissionPolicyBinding } from "#machinery/api/admissionregistration-v1.ts";
import { defineKind } from "../kind.ts";

export const MutatingAdmissionPolicyBindingKind = defineKind<MutatingAdmissionPolicyBinding>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "MutatingAdmissionPolicyBinding",
  plural: "mutatingadmissionpolicybindings",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
});
