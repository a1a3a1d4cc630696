import { sameJson } from "#machinery/deep-equal.ts";
import { cloneJson, isPlainObject, member, setMember } from "#machinery/plain.ts";

/** JSON merge patch (RFC 7386). Neither input is changed; the result shares nothing with the patch. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isPlainObject(patch)) return cloneJson(patch);
  const result: Record<string, unknown> = isPlainObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else setMember(result, key, applyMergePatch(member(result, key), value));
  }
  return result;
}

/** A merge patch that turns `before` into `after`; undefined where they are equal. Lists are replaced whole. */
export function createMergePatch(before: unknown, after: unknown): unknown {
  if (!isPlainObject(before) || !isPlainObject(after)) return sameJson(before, after) ? undefined : cloneJson(after);
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(before)) if (before[key] !== undefined && member(after, key) === undefined) setMember(patch, key, null);
  for (const [key, value] of Object.entries(after)) {
    if (value === undefined) continue;
    const change = createMergePatch(member(before, key), value);
    if (change !== undefined) setMember(patch, key, change);
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}
