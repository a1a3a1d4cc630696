import type { MutatingAdmissionPolicy } from "#machinery/api/admissionregistration-v1.ts";
import { type FieldError, requiredField } from "#machinery/field-error.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, UNSET } from "../printing.ts";
import { type Errors, isMissing, optionalEnum, requiredEnum } from "../validation.ts";
import { defaultMatch, validateMatch, validateParamKind, validateVariables } from "./policy-rules.ts";
import { validateMatchConditions } from "./webhook-rules.ts";

export const MutatingAdmissionPolicyKind = defineKind<MutatingAdmissionPolicy>({
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "MutatingAdmissionPolicy",
  plural: "mutatingadmissionpolicies",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy",
  columns: [
    nameColumn,
    column("Mutations", "Number of its rules.", ({ spec }) => spec?.mutations?.length ?? 0, "integer"),
    column("ParamKind", "ParamKind specifies the kind of resources used to parameterize this policy", ({ spec }) =>
      spec?.paramKind === undefined ? UNSET : `${spec.paramKind.apiVersion ?? ""}/${spec.paramKind.kind ?? ""}`,
    ),
    ageColumn,
  ],
  strategy: {
    unconditionalUpdate: false,
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

function validatePolicy({ spec }: MutatingAdmissionPolicy): Errors {
  const { matchConstraints, mutations = [] } = spec;
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
  if (mutations.length === 0) errors.push(requiredField("spec.mutations", "mutations must contain at least one item"));
  for (const [i, { patchType, applyConfiguration, jsonPatch }] of mutations.entries()) {
    const at = `spec.mutations[${i}]`;
    errors.push(...requiredEnum(patchType, ["ApplyConfiguration", "JSONPatch"], `${at}.patchType`));
    if (patchType === "ApplyConfiguration" && isMissing(applyConfiguration?.expression)) {
      errors.push(requiredField(`${at}.applyConfiguration.expression`, "expression is not specified"));
    }
    if (patchType === "JSONPatch" && isMissing(jsonPatch?.expression)) {
      errors.push(requiredField(`${at}.jsonPatch.expression`, "expression is not specified"));
    }
  }
  return [...errors, ...requiredEnum(spec.reinvocationPolicy, ["IfNeeded", "Never"], "spec.reinvocationPolicy")];
}
