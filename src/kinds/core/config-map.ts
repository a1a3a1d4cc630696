import type { ConfigMap } from "#machinery/api/core-v1.ts";
import { type FieldError, forbiddenField, invalidField, tooLongField } from "#machinery/field-error.ts";
import { isConfigMapKey } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { type Errors, same } from "../validation.ts";

export const ConfigMapKind = defineKind<ConfigMap>({
  group: "",
  version: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  shortNames: ["cm"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.ConfigMap",
  columns: [
    nameColumn,
    column("Data", "Number of its keys.", ({ data = {}, binaryData = {} }) => Object.keys(data).length + Object.keys(binaryData).length),
    ageColumn,
  ],
  strategy: {
    validate: validateConfigMap,
    validateUpdate: validateConfigMapUpdate,
  },
});

/** Of a ConfigMap or Secret, all values together. */
export const MAX_DATA_BYTES = 1024 * 1024;

function validateConfigMap({ data = {}, binaryData = {} }: ConfigMap): Errors {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(data)) {
    errors.push(...isConfigMapKey(key).map((message) => invalidField(`data[${key}]`, key, message)));
    if (key in binaryData) errors.push(invalidField(`data[${key}]`, key, "duplicate of key present in binaryData"));
    size += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(binaryData)) {
    errors.push(...isConfigMapKey(key).map((message) => invalidField(`binaryData[${key}]`, key, message)));
    size += decodedBytes(value);
  }
  return size > MAX_DATA_BYTES ? [...errors, tooLongField("[]", MAX_DATA_BYTES)] : errors;
}

/** How many bytes a base64 text stands for. */
export function decodedBytes(base64: string): number {
  return Math.floor((base64.replace(/=+$/, "").length * 3) / 4);
}

function validateConfigMapUpdate(next: ConfigMap, previous: ConfigMap): Errors {
  if (previous.immutable !== true) return [];
  const errors: FieldError[] = [];
  if (next.immutable !== true) errors.push(forbiddenField("immutable", "field is immutable when `immutable` is set"));
  for (const field of ["data", "binaryData"] as const) {
    if (!same(next[field], previous[field])) errors.push(forbiddenField(field, "field is immutable when `immutable` is set"));
  }
  return errors;
}
