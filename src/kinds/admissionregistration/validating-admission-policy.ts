import type { ValidatingAdmissionPolicy } from "#machinery/api/admissionregistration-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const ValidatingAdmissionPolicyKind = defineKind<ValidatingAdmissionPolicy>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "ValidatingAdmissionPolicy",
  plural: "validatingadmissionpolicies",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
  subresources: [STATUS],
});
