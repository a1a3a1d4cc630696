import type { ValidatingAdmissionPolicyBinding } from "#machinery/api/admissionregistration-v1.ts";
import { duplicateField, type FieldError, invalidField, requiredField, unsupportedField } from "#machinery/field-error.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { paramRefText } from "./param-ref.ts";
import { defaultBindingSpec, validateBindingSpec } from "./policy-rules.ts";
import { type Errors } from "../validation.ts";

export const ValidatingAdmissionPolicyBindingKind = defineKind<ValidatingAdmissionPolicyBinding>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "ValidatingAdmissionPolicyBinding",
  plural: "validatingadmissionpolicybindings",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding",
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
    validate: ({ spec }) => [...validateBindingSpec(spec, "spec"), ...validateActions(spec.validationActions ?? [])],
  },
});

const ACTIONS: readonly string[] = ["Audit", "Deny", "Warn"];

function validateActions(actions: readonly string[]): Errors {
  const path = "spec.validationActions";
  if (actions.length === 0) return [requiredField(path, "at least one validation action is required")];
  const errors: FieldError[] = [];
  for (const [i, action] of actions.entries()) {
    if (!ACTIONS.includes(action)) errors.push(unsupportedField(`${path}[${i}]`, action, ACTIONS));
    if (actions.indexOf(action) < i) errors.push(duplicateField(`${path}[${i}]`, action));
  }
  if (actions.includes("Deny") && actions.includes("Warn")) {
    errors.push(
      invalidField(
        path,
        actions,
        "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)",
      ),
    );
  }
  return errors;
}
