import type { FieldError } from "#machinery/field-error.ts";
import type { KubeObject } from "#machinery/object.ts";
import { invalid } from "#machinery/status.ts";
import type { Kind } from "#kinds/kind.ts";
import { validateObjectMeta, validateObjectMetaUpdate } from "#kinds/object-meta.ts";

/** Throws 422 with everything that is wrong with a new object. */
export function validateNew(kind: Kind, object: KubeObject): void {
  const { nameRule } = kind.strategy;
  check(kind, object, [
    ...validateObjectMeta(object.metadata, { scope: kind.scope, ...(nameRule === undefined ? {} : { nameRule }) }),
    ...(kind.strategy.validate?.(object) ?? []),
  ]);
}

/** What is wrong with the metadata of a changed object. */
export function validateUpdated(_kind: Kind, next: KubeObject, previous: KubeObject): readonly FieldError[] {
  return validateObjectMetaUpdate(next.metadata, previous.metadata);
}

export function check(kind: Kind, object: KubeObject, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid(kind, object.metadata.name ?? "", errors);
}
