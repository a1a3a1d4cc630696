import type { MutatingAdmissionPolicyBinding } from "#machinery/api/admissionregistration-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { paramRefText } from "./param-ref.ts";
import { defaultBindingSpec, validateBindingSpec } from "./policy-rules.ts";

export const MutatingAdmissionPolicyBindingKind = defineKind<MutatingAdmissionPolicyBinding>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "MutatingAdmissionPolicyBinding",
  plural: "mutatingadmissionpolicybindings",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
  columns: [
    nameColumn,
    column("PolicyName", "The policy that is bound.", ({ spec }) => spec?.policyName ?? ""),
    column("ParamRef", "The object with its parameters.", ({ spec }) => paramRefText(spec?.paramRef)),
    ageColumn,
  ],
  strategy: {
    unconditionalUpdate: false,
    generation: "spec",
    default: (binding) => ({ ...binding, spec: defaultBindingSpec(binding.spec ?? {}) }),
    validate: ({ spec }) => validateBindingSpec(spec, "spec"),
  },
});
