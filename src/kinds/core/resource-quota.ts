import type { ResourceQuota } from "#machinery/api/core-v1.ts";
import { type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { type Errors } from "../validation.ts";
import { validateQuantity, validateResourceName } from "./resources.ts";

export const ResourceQuotaKind = defineKind<ResourceQuota>({
  group: "",
  version: "v1",
  kind: "ResourceQuota",
  plural: "resourcequotas",
  shortNames: ["quota"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.ResourceQuota",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Request", "What containers may request, and do.", (quota) => usageText(quota, (resource) => !isLimit(resource))),
    column("Limit", "What containers may use at most, and do.", (quota) => usageText(quota, isLimit)),
    ageColumn,
  ],
  strategy: {
    ...ownStatus<ResourceQuota>({}),
    validate: validateQuota,
    validateUpdate: ({ spec: next }, { spec: previous }) =>
      [...(next?.scopes ?? [])].sort().join() === [...(previous?.scopes ?? [])].sort().join()
        ? []
        : [invalidField("spec.scopes", next?.scopes ?? null, "field is immutable")],
    validateStatusUpdate: ({ status }) => [...amounts(status?.hard, "status.hard"), ...amounts(status?.used, "status.used")],
  },
});

function isLimit(resource: string): boolean {
  return resource.includes("limits");
}

/** `pods: 1/10, requests.cpu: 500m/2` */
function usageText({ status }: ResourceQuota, shown: (resource: string) => boolean): string {
  return Object.entries(status?.hard ?? {})
    .filter(([resource]) => shown(resource))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([resource, hard]) => `${resource}: ${status?.used?.[resource] ?? "0"}/${hard}`)
    .join(", ");
}

const SCOPES: ReadonlySet<string> = new Set([
  "BestEffort",
  "CrossNamespacePodAffinity",
  "NotBestEffort",
  "NotTerminating",
  "PriorityClass",
  "Terminating",
  "VolumeAttributesClass",
]);
const CONFLICTING = [
  ["BestEffort", "NotBestEffort"],
  ["Terminating", "NotTerminating"],
] as const;

function amounts(list: Readonly<Record<string, string | number>> | undefined, path: string): Errors {
  return Object.entries(list ?? {}).flatMap(([resource, amount]) => [
    ...validateResourceName(resource, `${path}[${resource}]`),
    ...validateQuantity(resource, amount, `${path}[${resource}]`),
  ]);
}

function validateQuota({ spec }: ResourceQuota): Errors {
  const { hard, scopes = [], scopeSelector } = spec ?? {};
  const errors: FieldError[] = [...amounts(hard, "spec.hard")];
  for (const scope of scopes) {
    if (!SCOPES.has(scope)) errors.push(invalidField("spec.scopes", scopes, "unsupported scope"));
  }
  if (CONFLICTING.some((pair) => pair.every((scope) => (scopes as readonly string[]).includes(scope)))) {
    errors.push(invalidField("spec.scopes", scopes, "conflicting scopes"));
  }
  for (const { scopeName, operator, values = [] } of scopeSelector?.matchExpressions ?? []) {
    const path = "spec.scopeSelector.matchExpressions";
    if (!SCOPES.has(scopeName)) errors.push(invalidField(`${path}.scopeName`, scopeName, "unsupported scope"));
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0) {
        errors.push(requiredField(`${path}.values`, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"));
      }
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0) {
        const message = "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector";
        errors.push(invalidField(`${path}.values`, values, message));
      }
    } else errors.push(invalidField(`${path}.operator`, operator, "not a valid selector operator"));
  }
  return errors;
}
