import { isPlainObject, member, type PlainObject, setMember } from "#machinery/plain.ts";
import { compareValues, wholeFields } from "./typed-merge.ts";
import { difference, differenceBelow, EMPTY_SET, type FieldSet, isEmpty, setToFields, union } from "./field-set.ts";
import type { MergeSchema } from "./merge-schema.ts";

/** What is not owned: paths of `unowned` themselves, paths of `reset` with all that is below. */
export interface Left {
  readonly unowned: FieldSet;
  readonly reset: FieldSet;
}

/**
 * fieldsV1 of what `object` sets beyond `empty`, in one walk; undefined where that is nothing. The same as comparing the two and
 * writing the set, which is what happens where they differ in more than members that `empty` lacks. Throws PatchError.
 */
export function createdFields(schema: MergeSchema, empty: unknown, object: unknown, { unowned, reset }: Left): PlainObject | undefined {
  if (schema.is !== "map" || !isPlainObject(empty) || !isPlainObject(object) || unowned.member || reset.member)
    return comparedFields(schema, empty, object, { unowned, reset })?.fields;
  const fields: Record<string, unknown> = {};
  let some = false;
  for (const name of Object.keys(object).sort()) {
    const [before, after] = [member(empty, name), member(object, name)];
    const field = after === undefined ? undefined : schema.field(name);
    if (field === undefined || before === after) continue;
    const step = `f:${name}`;
    const left = { unowned: unowned.children.get(step) ?? EMPTY_SET, reset: reset.children.get(step) ?? EMPTY_SET };
    if (left.reset.member) continue;
    const inner = memberFields(field, before, after, left);
    if (inner === undefined) continue;
    setMember(fields, step, inner);
    some = true;
  }
  return some ? fields : undefined;
}

function memberFields(schema: MergeSchema, before: unknown, after: unknown, left: Left): PlainObject | undefined {
  if (schema.is === "leaf" && before === undefined) return left.unowned.member ? undefined : {};
  if (before === undefined && isEmpty(left.unowned) && isEmpty(left.reset)) return wholeFields(schema, after);
  const walks = schema.is === "map" && isPlainObject(before) && isPlainObject(after) && Object.keys(after).length > 0;
  // A member that nobody owns may hold some that are owned; as there was one before, it is none itself.
  if (walks) return createdFields(schema, before, after, { ...left, unowned: { ...left.unowned, member: false } });
  const compared = comparedFields(schema, before, after, left);
  if (compared === undefined) return undefined;
  return compared.member && Object.keys(compared.fields).length > 0 ? { ".": {}, ...compared.fields } : compared.fields;
}

function comparedFields(schema: MergeSchema, before: unknown, after: unknown, { unowned, reset }: Left) {
  const { modified, added } = compareValues(schema, before, after);
  const taken = difference(union(differenceBelow(modified, reset), differenceBelow(added, reset)), unowned);
  return isEmpty(taken) ? undefined : { member: taken.member, fields: setToFields(taken) };
}
