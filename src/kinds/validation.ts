import { isDeepStrictEqual } from "node:util";
import type { LabelSelector } from "#machinery/api/meta-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField, tooLongField, unsupportedField } from "#machinery/field-error.ts";
import { isLabelKey, isLabelValue, isPercent, type NameRule } from "#machinery/names.ts";
import { labelSelectorFrom, type ParsedLabelSelector, SelectorError } from "#machinery/selector.ts";

export type Errors = readonly FieldError[];

export const IMMUTABLE = "field is immutable";
export const NOT_NEGATIVE = "must be greater than or equal to 0";
const ANNOTATIONS_MAX_BYTES = 256 * 1024;

/** One error per complaint of a rule about a value. */
export function follows(rule: NameRule, value: string, path: string): Errors {
  return rule(value).map((message) => invalidField(path, value, message));
}

/** A name that must be there and follow a rule. */
export function requiredName(rule: NameRule, value: string | undefined, path: string): Errors {
  return value === undefined || value === "" ? [requiredField(path)] : follows(rule, value, path);
}

export function isMissing(value: string | undefined): value is undefined | "" {
  return value === undefined || value === "";
}

export function present(value: string | undefined, path: string, detail = ""): Errors {
  return isMissing(value) ? [requiredField(path, detail)] : [];
}

export function notNegative(value: number | undefined, path: string): Errors {
  return value !== undefined && value < 0 ? [invalidField(path, value, NOT_NEGATIVE)] : [];
}

export function inRange(value: number | undefined, min: number, max: number, path: string): Errors {
  return value === undefined || (value >= min && value <= max)
    ? []
    : [invalidField(path, value, `must be between ${min} and ${max}, inclusive`)];
}

/** An enum field that defaulting fills: absent is an error too. `supported` in the order to print. */
export function requiredEnum(value: string | undefined, supported: readonly string[], path: string): Errors {
  return isMissing(value) ? [requiredField(path)] : optionalEnum(value, supported, path);
}

export function optionalEnum(value: string | undefined, supported: readonly string[], path: string): Errors {
  return value === undefined || supported.includes(value) ? [] : [unsupportedField(path, value, supported)];
}

export function immutable(next: unknown, previous: unknown, path: string): Errors {
  return same(next, previous) ? [] : [invalidField(path, next, IMMUTABLE)];
}

/** Equal as API values: absent, null, `{}` and `[]` are the same. */
export function same(a: unknown, b: unknown): boolean {
  return a === b || isDeepStrictEqual(a, b) || isDeepStrictEqual(withoutEmpty(a), withoutEmpty(b));
}

function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(withoutEmpty);
  if (typeof value !== "object" || value === null) return value ?? undefined;
  const entries = Object.entries(value).flatMap(([key, inner]) => {
    const kept = withoutEmpty(inner);
    return kept === undefined ? [] : [[key, kept] as const];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

export function validateLabels(labels: Readonly<Record<string, string>> | undefined, path: string): Errors {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [...follows(isLabelKey, key, path), ...follows(isLabelValue, value, path)]);
}

export function validateAnnotations(annotations: Readonly<Record<string, string>> | undefined, path: string): Errors {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    errors.push(...isLabelKey(key.toLowerCase()).map((message) => invalidField(path, key, message)));
    size += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (size > ANNOTATIONS_MAX_BYTES) errors.push(tooLongField(path, ANNOTATIONS_MAX_BYTES));
  return errors;
}

export function validateLabelSelector(selector: LabelSelector | undefined, path: string): Errors {
  if (selector === undefined) return [];
  const errors: FieldError[] = [...validateLabels(selector.matchLabels, `${path}.matchLabels`)];
  for (const [index, { key, operator, values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`;
    switch (operator) {
      case "In":
      case "NotIn":
        if (values.length === 0) errors.push(requiredField(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
        break;
      case "Exists":
      case "DoesNotExist":
        if (values.length > 0)
          errors.push(forbiddenField(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        break;
      default:
        errors.push(invalidField(`${at}.operator`, operator, "not a valid selector operator"));
    }
    errors.push(...follows(isLabelKey, key, `${at}.key`));
    for (const [i, value] of values.entries()) errors.push(...follows(isLabelValue, value, `${at}.values[${i}]`));
  }
  return errors;
}

export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions?.length ?? 0) === 0;
}

/** The selector ready to match, or undefined where it is invalid (which `validateLabelSelector` explains). */
export function parsedSelector(selector: LabelSelector | undefined): ParsedLabelSelector | undefined {
  try {
    return labelSelectorFrom(selector);
  } catch (cause) {
    if (cause instanceof SelectorError) return undefined;
    throw cause;
  }
}

/** A count or a percentage, not negative. */
export function validateIntOrPercent(value: number | string | undefined, path: string): Errors {
  if (value === undefined) return [];
  return typeof value === "number" ? notNegative(value, path) : follows(isPercent, value, path);
}

export function notMoreThan100Percent(value: number | string | undefined, path: string): Errors {
  const percent = percentOf(value);
  return percent !== undefined && percent > 100 ? [invalidField(path, value, "must not be greater than 100%")] : [];
}

/** The number in `25%`; undefined for counts and for text that is no percentage. */
export function percentOf(value: number | string | undefined): number | undefined {
  if (typeof value !== "string" || !/^[0-9]+%$/.test(value)) return undefined;
  return Number.parseInt(value, 10);
}

/** Whether a count or percentage is zero. */
export function isZero(value: number | string | undefined): boolean {
  return value === 0 || percentOf(value) === 0;
}
