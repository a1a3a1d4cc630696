import type { FlowSchema, PolicyRulesWithSubjects, Subject } from "#machinery/api/flowcontrol-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE } from "../printing.ts";
import { conditionOf } from "../conditions.ts";
import { ownStatus } from "../strategy.ts";
import { type Errors, isMissing, requiredEnum } from "../validation.ts";

export const FlowSchemaKind = defineKind<FlowSchema>({
  group: "flowcontrol.apiserver.k8s.io",
  version: "v1",
  kind: "FlowSchema",
  plural: "flowschemas",
  scope: "Cluster",
  typeName: "io.k8s.api.flowcontrol.v1.FlowSchema",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("PriorityLevel", "The priority level of matching requests.", ({ spec }) => spec?.priorityLevelConfiguration?.name ?? ""),
    column("MatchingPrecedence", "Among matching schemas, the lowest number wins.", ({ spec }) => spec?.matchingPrecedence ?? 0),
    column("DistinguisherMethod", "What makes two requests one flow.", ({ spec }) => spec?.distinguisherMethod?.type ?? NONE),
    ageColumn,
    column(
      "MissingPL",
      "references a broken or non-existent PriorityLevelConfiguration",
      ({ status }) => conditionOf(status?.conditions, "Dangling")?.status ?? "?",
    ),
  ],
  strategy: {
    ...ownStatus<FlowSchema>({}),
    generation: "spec",
    default: (schema) => ({ ...schema, spec: { ...schema.spec, matchingPrecedence: schema.spec?.matchingPrecedence || 1000 } }),
    validate: validateSchema,
  },
});

const MAX_PRECEDENCE = 10_000;

function validateSchema({ metadata, spec }: FlowSchema): Errors {
  const errors: FieldError[] = [];
  const { matchingPrecedence = 0 } = spec;
  if (matchingPrecedence <= 0) errors.push(invalidField("spec.matchingPrecedence", matchingPrecedence, "must be a positive value"));
  if (matchingPrecedence > MAX_PRECEDENCE) {
    errors.push(invalidField("spec.matchingPrecedence", matchingPrecedence, `must not be greater than ${MAX_PRECEDENCE}`));
  }
  if (matchingPrecedence === 1 && metadata.name !== "exempt") {
    errors.push(
      invalidField("spec.matchingPrecedence", matchingPrecedence, "only the schema named 'exempt' may have matchingPrecedence 1"),
    );
  }
  if (spec.distinguisherMethod !== undefined) {
    errors.push(...requiredEnum(spec.distinguisherMethod.type, ["ByNamespace", "ByUser"], "spec.distinguisherMethod.type"));
  }
  if (isMissing(spec.priorityLevelConfiguration?.name)) {
    errors.push(requiredField("spec.priorityLevelConfiguration.name", "must reference a priority level"));
  }
  for (const [i, rule] of (spec.rules ?? []).entries()) errors.push(...validateRule(rule, `spec.rules[${i}]`));
  return errors;
}

function validateRule({ subjects, resourceRules = [], nonResourceRules = [] }: PolicyRulesWithSubjects, path: string): Errors {
  const errors: FieldError[] = [];
  if (subjects.length === 0) errors.push(requiredField(`${path}.subjects`, "subjects must contain at least one value"));
  for (const [i, subject] of subjects.entries()) errors.push(...validateSubject(subject, `${path}.subjects[${i}]`));
  if (resourceRules.length === 0 && nonResourceRules.length === 0) {
    errors.push(requiredField(path, "at least one of resourceRules and nonResourceRules has to be non-empty"));
  }
  for (const [i, { verbs = [], apiGroups = [], resources = [], namespaces = [], clusterScope = false }] of resourceRules.entries()) {
    const at = `${path}.resourceRules[${i}]`;
    if (verbs.length === 0) errors.push(requiredField(`${at}.verbs`, "verbs must contain at least one value"));
    if (apiGroups.length === 0) errors.push(requiredField(`${at}.apiGroups`, "resource rules must supply at least one api group"));
    if (resources.length === 0) errors.push(requiredField(`${at}.resources`, "resource rules must supply at least one resource"));
    if (namespaces.length === 0 && !clusterScope) {
      errors.push(requiredField(`${at}.namespaces`, "resource rules that are not cluster scoped must supply at least one namespace"));
    }
  }
  for (const [i, { verbs = [], nonResourceURLs = [] }] of nonResourceRules.entries()) {
    const at = `${path}.nonResourceRules[${i}]`;
    if (verbs.length === 0) errors.push(requiredField(`${at}.verbs`, "verbs must contain at least one value"));
    if (nonResourceURLs.length === 0)
      errors.push(requiredField(`${at}.nonResourceURLs`, "nonResourceURLs must contain at least one value"));
  }
  return errors;
}

function validateSubject({ kind, user, group, serviceAccount }: Subject, path: string): Errors {
  const errors: FieldError[] = [];
  for (const [field, wanted, value] of [
    ["serviceAccount", "ServiceAccount", serviceAccount],
    ["user", "User", user],
    ["group", "Group", group],
  ] as const) {
    if (kind === wanted) {
      if (value === undefined) errors.push(requiredField(`${path}.${field}`, `${field} is required when subject kind is '${wanted}'`));
      else if (isMissing(value.name)) errors.push(requiredField(`${path}.${field}.name`));
    } else if (value !== undefined)
      errors.push(forbiddenField(`${path}.${field}`, `${field} is forbidden when subject kind is not '${wanted}'`));
  }
  return [...errors, ...requiredEnum(kind, ["Group", "ServiceAccount", "User"], `${path}.kind`)];
}
