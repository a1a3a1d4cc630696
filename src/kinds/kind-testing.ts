import { formatFieldError } from "#machinery/field-error.ts";
import type { KubeObject } from "#machinery/object.ts";
import { decodeObject } from "#machinery/schema/decode.ts";
import { applyTableDefaults } from "#machinery/schema/defaults.ts";
import { apiVersionOf, type Kind } from "./kind.ts";
import { validateObjectMeta, validateObjectMetaUpdate } from "./object-meta.ts";

/** A request body without `apiVersion` and `kind`. */
export type Body = Readonly<Record<string, unknown>>;

export const TEST_TIME = "2030-01-01T00:00:00Z";

/** The object as a server has it after decoding and defaulting, before any rule was asked. */
export function decodedAs<T extends KubeObject>(kind: Kind<T>, body: Body): T {
  const given = { apiVersion: apiVersionOf(kind), kind: kind.kind, ...body };
  const { object, unknownFields } = decodeObject(kind.typeName, given);
  if (unknownFields.length > 0)
    throw new Error(`Cannot decode test object: ${unknownFields.join()} unknown, wanted fields of ${kind.kind}`);
  const withTable = applyTableDefaults(kind.typeName, object) as T;
  return kind.strategy.default?.(withTable) ?? withTable;
}

/** The object as a server would store it, right or wrong. */
export function createdAs<T extends KubeObject>(kind: Kind<T>, body: Body): T {
  const decoded = decodedAs(kind, body);
  const object = { ...decoded, metadata: { ...decoded.metadata, uid: "u-1", creationTimestamp: TEST_TIME } };
  return kind.strategy.prepareForCreate?.(object) ?? object;
}

/** What a server says about a new object. */
export function createErrors<T extends KubeObject>(kind: Kind<T>, body: Body): readonly string[] {
  const object = createdAs(kind, body);
  const { nameRule } = kind.strategy;
  return [
    ...validateObjectMeta(object.metadata, { scope: kind.scope, ...(nameRule === undefined ? {} : { nameRule }) }),
    ...(kind.strategy.validate?.(object) ?? []),
  ].map(formatFieldError);
}

/** What a server says about a change of an object that was created from `before`. */
export function updateErrors<T extends KubeObject>(kind: Kind<T>, before: Body, after: Body): readonly string[] {
  const created = createdAs(kind, before);
  const previous = { ...created, metadata: { ...created.metadata, resourceVersion: "1" } };
  const wanted = decodedAs(kind, after);
  const next = { ...wanted, metadata: { ...previous.metadata, ...wanted.metadata, creationTimestamp: TEST_TIME } };
  const prepared = kind.strategy.prepareForUpdate?.(next, previous) ?? next;
  return [
    ...validateObjectMetaUpdate(prepared.metadata, previous.metadata),
    ...(kind.strategy.validate?.(prepared) ?? []),
    ...(kind.strategy.validateUpdate?.(prepared, previous) ?? []),
  ].map(formatFieldError);
}
