import type { Kind } from "#kinds/kind.ts";
import type { KubeObject } from "#machinery/object.ts";

/** Two versions of one kind that share their place in the store. */
export interface Conversion {
  /** The kind whose version is stored. */
  readonly storage: Kind;
  toStorage(object: KubeObject): KubeObject;
  fromStorage(object: KubeObject): KubeObject;
}

/** How a kind that is stored under another version of itself is converted; undefined for kinds stored as they are. */
export function conversionOf(_kind: Kind, _kinds: readonly Kind[]): Conversion | undefined {
  return undefined;
}
