import { isPlainObject, member } from "./plain.ts";

/** Whether two JSON values are the same. Absent, undefined and null members are equal to each other; member order does not matter. */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a === undefined || a === null) return b === undefined || b === null;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => deepEqual(item, b[i]));
  if (!isPlainObject(a) || !isPlainObject(b)) return false;
  for (const key of Object.keys(a)) if (!deepEqual(a[key], member(b, key))) return false;
  for (const key of Object.keys(b)) if (b[key] !== undefined && b[key] !== null && !Object.hasOwn(a, key)) return false;
  return true;
}

/** The same, but null is a value of its own: absent and undefined members are equal only to each other. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => sameJson(item, b[i]));
  if (!isPlainObject(a) || !isPlainObject(b)) return false;
  for (const key of Object.keys(a)) if (a[key] !== undefined && !sameJson(a[key], member(b, key))) return false;
  for (const key of Object.keys(b)) if (b[key] !== undefined && member(a, key) === undefined) return false;
  return true;
}
