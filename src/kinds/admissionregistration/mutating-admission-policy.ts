import type { MutatingAdmissionPolicy } from "#machinery/api/admissionregistration-v1.ts";
import { defineKind } from "../kind.ts";

export const MutatingAdmissionPolicyKind = defineKind<MutatingAdmissionPolicy>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "MutatingAdmissionPolicy",
  plural: "mutatingadmissionpolicies",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
});
