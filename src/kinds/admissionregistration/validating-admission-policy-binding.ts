import type { ValidatingAdmissionPolicyBinding } from "#machinery/api/admissionregistration-v1.ts";
import { defineKind } from "../kind.ts";

export const ValidatingAdmissionPolicyBindingKind = defineKind<ValidatingAdmissionPolicyBinding>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "ValidatingAdmissionPolicyBinding",
  plural: "validatingadmissionpolicybindings",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
});
