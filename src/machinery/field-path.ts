import { isPlainObject } from "./plain.ts";

/** `spec.ports`; the root is "". */
export const child = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);
/** `spec.ports[0]`. */
export const index = (path: string, i: number): string => `${path}[${i}]`;
/** `metadata.labels[app]`. */
export const key = (path: string, name: string): string => `${path}[${name}]`;

/** The value below `root` by member names and list positions; undefined where the way ends. */
export function valueAt(root: unknown, path: readonly (string | number)[]): unknown {
  let at = root;
  for (const step of path) {
    if (typeof step === "number") at = Array.isArray(at) ? (at[step] as unknown) : undefined;
    else at = isPlainObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  }
  return at;
}

/** A copy of `root` with the value at `path` replaced; objects on the way are made where they are missing. */
export function withValueAt(root: unknown, path: readonly string[], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  const object = isPlainObject(root) ? root : {};
  return { ...object, [step]: withValueAt(Object.hasOwn(object, step) ? object[step] : undefined, rest, value) };
}
