import { isPlainObject, type PlainObject } from "#machinery/plain.ts";
import type { StructType, ValueType } from "./schema.ts";

/** Like upstream, no more than this many complaints about one document. */
export const MAX_STRICT_ERRORS = 100;

/** Paths of fields that the type does not know (`spec.containers[0].bar`), in document order. */
export function findUnknownFields(struct: StructType, value: PlainObject): string[] {
  const found: string[] = [];
  walkStruct(struct, value, "");
  return found;

  function walkStruct(type: StructType, object: PlainObject, path: string): void {
    for (const key of Object.keys(object)) {
      if (found.length >= MAX_STRICT_ERRORS) return;
      if (type.kind !== undefined && (key === "kind" || key === "apiVersion")) continue;
      const at = path === "" ? key : `${path}.${key}`;
      const field = type.byName.get(key);
      if (field === undefined) found.push(at);
      else walk(field.type, object[key], at);
    }
  }

  function walk(type: ValueType, at: unknown, path: string): void {
    if (type.is === "struct") {
      if (isPlainObject(at)) walkStruct(type.struct, at, path);
    } else if (type.is === "list") {
      if (Array.isArray(at)) for (const [i, item] of at.entries()) walk(type.of, item, `${path}[${i}]`);
    } else if (type.is === "map" && isPlainObject(at)) {
      for (const key of Object.keys(at)) walk(type.of, at[key], `${path}.${key}`);
    }
  }
}
