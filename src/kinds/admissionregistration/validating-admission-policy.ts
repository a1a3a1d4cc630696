import type { ValidatingAdmissionPolicy } from "#machinery/api/admissionregistration-v1.ts";
import { type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import { isLabelKey } from "#machinery/names.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, UNSET } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { type Errors, follows, isMissing, optionalEnum } from "../validation.ts";
import { defaultMatch, validateMatch, validateParamKind, validateVariables } from "./policy-rules.ts";
import { validateMatchConditions } from "./webhook-rules.ts";

export const ValidatingAdmissionPolicyKind = defineKind<ValidatingAdmissionPolicy>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "ValidatingAdmissionPolicy",
  plural: "validatingadmissionpolicies",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Validations", "Number of its rules.", ({ spec }) => spec?.validations?.length ?? 0, "integer"),
    column("ParamKind", "ParamKind specifies the kind of resources used to parameterize this policy", ({ spec }) =>
      spec?.paramKind === undefined ? UNSET : `${spec.paramKind.apiVersion ?? ""}/${spec.paramKind.kind ?? ""}`,
    ),
    ageColumn,
  ],
  strategy: {
    unconditionalUpdate: false,
    ...ownStatus<ValidatingAdmissionPolicy>({}),
    generation: "spec",
    default: (policy) => ({
      ...policy,
      spec: {
        ...policy.spec,
        failurePolicy: policy.spec?.failurePolicy ?? "Fail",
        ...(policy.spec?.matchConstraints === undefined ? {} : { matchConstraints: defaultMatch(policy.spec.matchConstraints) }),
      },
    }),
    validate: validatePolicy,
  },
});

const REASONS: readonly string[] = ["Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized"];

function validatePolicy({ spec }: ValidatingAdmissionPolicy): Errors {
  const { matchConstraints, validations = [], auditAnnotations = [] } = spec;
  const errors: FieldError[] = [
    ...optionalEnum(spec.failurePolicy, ["Fail", "Ignore"], "spec.failurePolicy"),
    ...validateParamKind(spec.paramKind, "spec.paramKind"),
  ];
  if (matchConstraints === undefined) errors.push(requiredField("spec.matchConstraints"));
  else {
    errors.push(...validateMatch(matchConstraints, "spec.matchConstraints"));
    if ((matchConstraints.resourceRules ?? []).length === 0) errors.push(requiredField("spec.matchConstraints.resourceRules"));
  }
  errors.push(...validateMatchConditions(spec.matchConditions ?? [], "spec.matchConditions"));
  errors.push(...validateVariables(spec.variables ?? [], "spec.variables"));
  if (validations.length === 0 && auditAnnotations.length === 0) {
    errors.push(
      requiredField("spec.validations", "validations or auditAnnotations must contain at least one item"),
      requiredField("spec.auditAnnotations", "validations or auditAnnotations must contain at least one item"),
    );
  }
  for (const [i, { expression, message, reason }] of validations.entries()) {
    const at = `spec.validations[${i}]`;
    if (isMissing(expression?.trim())) errors.push(requiredField(`${at}.expression`, "expression is not specified"));
    if (message !== undefined && message !== "" && message.trim() === "") {
      errors.push(invalidField(`${at}.message`, message, "message must be non-empty if specified"));
    }
    if (reason !== undefined) errors.push(...optionalEnum(reason, REASONS, `${at}.reason`));
  }
  for (const [i, { key, valueExpression }] of auditAnnotations.entries()) {
    const at = `spec.auditAnnotations[${i}]`;
    if (isMissing(key)) errors.push(requiredField(`${at}.key`, "key is not specified"));
    else errors.push(...follows(isLabelKey, key, `${at}.key`));
    if (isMissing(valueExpression?.trim())) errors.push(requiredField(`${at}.valueExpression`, "valueExpression is not specified"));
  }
  return errors;
}
