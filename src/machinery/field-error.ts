import { unreachable } from "#base/invariant.ts";
import { goQuote } from "./go-quote.ts";

/**
 * One complaint about one field, in upstream's words (k8s.io/apimachinery field errors).
 * `field` is a path such as `spec.ports[0].port` or `metadata.labels[app]`.
 */
export type FieldError =
  | { readonly type: "Required"; readonly field: string; readonly detail: string }
  | { readonly type: "Invalid"; readonly field: string; readonly value: unknown; readonly detail: string }
  | { readonly type: "NotSupported"; readonly field: string; readonly value: unknown; readonly supported: readonly string[] }
  | { readonly type: "Duplicate"; readonly field: string; readonly value: unknown }
  | { readonly type: "Forbidden"; readonly field: string; readonly detail: string }
  | { readonly type: "NotFound"; readonly field: string; readonly value: unknown }
  | { readonly type: "TooLong"; readonly field: string; readonly max: number }
  | { readonly type: "TooMany"; readonly field: string; readonly actual: number; readonly max: number }
  | { readonly type: "TypeInvalid"; readonly field: string; readonly value: unknown; readonly detail: string };

export const requiredField = (field: string, detail = ""): FieldError => ({ type: "Required", field, detail });
export const invalidField = (field: string, value: unknown, detail: string): FieldError => ({ type: "Invalid", field, value, detail });
export const unsupportedField = (field: string, value: unknown, supported: readonly string[]): FieldError => ({
  type: "NotSupported",
  field,
  value,
  supported,
});
export const duplicateField = (field: string, value: unknown): FieldError => ({ type: "Duplicate", field, value });
export const forbiddenField = (field: string, detail: string): FieldError => ({ type: "Forbidden", field, detail });
export const notFoundField = (field: string, value: unknown): FieldError => ({ type: "NotFound", field, value });
export const tooLongField = (field: string, max: number): FieldError => ({ type: "TooLong", field, max });
export const tooManyField = (field: string, actual: number, max: number): FieldError => ({ type: "TooMany", field, actual, max });

/** `Invalid value: "x": must be ...`: the text without the field, as `details.causes[].message` has it. */
export function fieldErrorBody(error: FieldError): string {
  switch (error.type) {
    case "Required":
      return error.detail === "" ? "Required value" : `Required value: ${error.detail}`;
    case "Invalid":
      return withDetail(`Invalid value: ${printValue(error.value)}`, error.detail);
    case "TypeInvalid":
      return withDetail(`Invalid value: ${printValue(error.value)}`, error.detail);
    case "NotSupported":
      return `Unsupported value: ${printValue(error.value)}: supported values: ${error.supported.map(goQuote).join(", ")}`;
    case "Duplicate":
      return `Duplicate value: ${printValue(error.value)}`;
    case "Forbidden":
      return withDetail("Forbidden", error.detail);
    case "NotFound":
      return `Not found: ${printValue(error.value)}`;
    case "TooLong":
      return `Too long: may not be more than ${error.max} byte${error.max === 1 ? "" : "s"}`;
    case "TooMany":
      return `Too many: ${error.actual}: must have at most ${error.max} item${error.max === 1 ? "" : "s"}`;
    default:
      return unreachable(error);
  }
}

export function formatFieldError(error: FieldError): string {
  return `${error.field}: ${fieldErrorBody(error)}`;
}

/** `details.causes[].reason` by error type. */
export const FIELD_CAUSE: Readonly<Record<FieldError["type"], string>> = {
  Required: "FieldValueRequired",
  Invalid: "FieldValueInvalid",
  NotSupported: "FieldValueNotSupported",
  Duplicate: "FieldValueDuplicate",
  Forbidden: "FieldValueForbidden",
  NotFound: "FieldValueNotFound",
  TooLong: "FieldValueTooLong",
  TooMany: "FieldValueTooMany",
  TypeInvalid: "FieldValueTypeInvalid",
};

function withDetail(text: string, detail: string): string {
  return detail === "" ? text : `${text}: ${detail}`;
}

function printValue(value: unknown): string {
  if (value === undefined || value === null) return "null";
  if (typeof value === "string") return goQuote(value);
  return JSON.stringify(value);
}
