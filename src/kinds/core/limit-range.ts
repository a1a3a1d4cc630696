import type { LimitRange, LimitRangeItem } from "#machinery/api/core-v1.ts";
import { duplicateField, type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { compareQuantity, formatQuantity, parseQuantity } from "#machinery/quantity.ts";
import { isLabelKey } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { createdAtColumn, nameColumn } from "../printing.ts";
import { type Errors, isMissing } from "../validation.ts";
import { validateQuantity, validateResourceName } from "./resources.ts";

export const LimitRangeKind = defineKind<LimitRange>({
  group: "",
  version: "v1",
  kind: "LimitRange",
  plural: "limitranges",
  shortNames: ["limits"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.LimitRange",
  columns: [nameColumn, createdAtColumn],
  strategy: {
    createOnUpdate: true,
    default: (range) => ({ ...range, spec: { ...range.spec, limits: (range.spec?.limits ?? []).map(defaultItem) } }),
    validate: validateLimitRange,
  },
});

/** Containers that limit nothing get the maximum, and request what they are limited to. */
function defaultItem(item: LimitRangeItem): LimitRangeItem {
  if (item.type !== "Container") return item;
  const limits = { ...item.max, ...item.default };
  const requests = { ...item.min, ...limits, ...item.defaultRequest };
  return {
    ...item,
    ...(Object.keys(limits).length === 0 ? {} : { default: limits }),
    ...(Object.keys(requests).length === 0 ? {} : { defaultRequest: requests }),
  };
}

const AMOUNTS = ["max", "min", "default", "defaultRequest"] as const;

function validateLimitRange({ spec }: LimitRange): Errors {
  const types = new Set<string>();
  return spec.limits.flatMap((item, index) => {
    const path = `spec.limits[${index}]`;
    const errors: FieldError[] = isMissing(item.type) ? [requiredField(`${path}.type`)] : [...typeErrors(item.type, `${path}.type`)];
    if (types.has(item.type)) errors.push(duplicateField(`${path}.type`, item.type));
    types.add(item.type);
    for (const field of [...AMOUNTS, "maxLimitRequestRatio"] as const) {
      for (const [resource, amount] of Object.entries(item[field] ?? {})) {
        const at = `${path}.${field}[${resource}]`;
        errors.push(...validateResourceName(resource, at), ...validateQuantity(resource, amount, at));
      }
    }
    if (item.type === "Pod") {
      for (const field of ["default", "defaultRequest"] as const) {
        if (Object.keys(item[field] ?? {}).length > 0) {
          errors.push(forbiddenField(`${path}.${field}`, "may not be specified when `type` is 'Pod'"));
        }
      }
    }
    if (item.type === "PersistentVolumeClaim" && item.min?.["storage"] === undefined && item.max?.["storage"] === undefined) {
      errors.push(requiredField(`${path}.limits`, "either minimum or maximum storage value is required, but neither was provided"));
    }
    return [...errors, ...orderErrors(item, path)];
  });
}

function typeErrors(type: string, path: string): Errors {
  const errors = isLabelKey(type).map((message) => invalidField(path, type, message));
  if (type.includes("/") || ["Pod", "Container", "PersistentVolumeClaim"].includes(type)) return errors;
  return [...errors, invalidField(path, type, "must be a standard limit type or fully qualified")];
}

/** min <= defaultRequest <= default <= max */
function orderErrors(item: LimitRangeItem, path: string): Errors {
  const order = [
    ["min", "max"],
    ["min", "defaultRequest"],
    ["defaultRequest", "max"],
    ["defaultRequest", "default"],
    ["min", "default"],
    ["default", "max"],
  ] as const;
  const words = { min: "min", max: "max", default: "default", defaultRequest: "default request" } as const;
  const resources = new Set(AMOUNTS.flatMap((field) => Object.keys(item[field] ?? {})));
  return [...resources].sort().flatMap((resource) =>
    order.flatMap(([low, high]) => {
      const [a, b] = [item[low]?.[resource], item[high]?.[resource]];
      if (a === undefined || b === undefined || compareQuantity(parseQuantity(a), parseQuantity(b)) <= 0) return [];
      const text = `${words[low]} value ${formatQuantity(parseQuantity(a))} is greater than ${words[high]} value ${formatQuantity(parseQuantity(b))}`;
      const field = low === "default" || low === "defaultRequest" ? low : high === "max" ? "min" : high;
      const blamed = item[field]?.[resource];
      return [invalidField(`${path}.${field}[${resource}]`, blamed === undefined ? "" : formatQuantity(parseQuantity(blamed)), text)];
    }),
  );
}
