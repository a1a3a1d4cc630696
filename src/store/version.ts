import type { Key, KeyValue, LeaseId, Revision, Write } from "./contract.ts";

/** What one commit made of one key. */
export interface Version {
  readonly key: Key;
  readonly revision: Revision;
  /** Of the put that created the key; for a deletion, of the life that ended. */
  readonly createRevision: Revision;
  readonly deleted: boolean;
  readonly lease: LeaseId | undefined;
  /** Bytes this version counts against the size cap. */
  readonly size: number;
  /** Undefined for a deletion, and where the bytes are only on disk now. */
  value: Uint8Array | undefined;
}

export type Decision =
  | { readonly ok: true; readonly version: Version }
  | { readonly ok: false; readonly because: "exists" | "missing" | "modRevision" };

/** Bytes that keeping a version in memory costs besides its key and value. */
const VERSION_OVERHEAD = 64;

/**
 * Whether `write` may happen when `head` is the newest state of its key (undefined: there is none), and what it then makes.
 *
 * `sizeOf` says what a version counts, given the lengths of key and value. Throws RangeError for a key that cannot be one.
 */
export function decideWrite(
  write: Write,
  head: Version | undefined,
  revision: Revision,
  sizeOf: (key: number, value: number) => number = (key, value) => VERSION_OVERHEAD + key + value,
): Decision {
  if ("put" in write) {
    const { put: key, expect, lease, value } = write;
    checkKey(key);
    if (expect === "absent" && head !== undefined) return { ok: false, because: "exists" };
    if (typeof expect === "number") {
      if (head === undefined) return { ok: false, because: "missing" };
      if (head.revision !== expect) return { ok: false, because: "modRevision" };
    }
    const size = sizeOf(key.length, value.byteLength);
    return { ok: true, version: { key, revision, createRevision: head?.createRevision ?? revision, deleted: false, lease, size, value } };
  }
  if (head === undefined) return { ok: false, because: "missing" };
  if (write.expect !== "any" && head.revision !== write.expect) return { ok: false, because: "modRevision" };
  const { key, createRevision } = head;
  const size = sizeOf(key.length, 0);
  return { ok: true, version: { key, revision, createRevision, deleted: true, lease: undefined, size, value: undefined } };
}

function checkKey(key: Key): void {
  if (key === "") throw new RangeError("Cannot write a key: it is empty, wanted at least one character");
  if (key.length > MAX_KEY)
    throw new RangeError(`Cannot write key "${key.slice(0, 80)}...": it has ${key.length} characters, wanted at most ${MAX_KEY}`);
  if (/\p{Surrogate}/u.test(key))
    throw new RangeError(`Cannot write key ${JSON.stringify(key)}: it holds half a character, wanted valid Unicode`);
}

/** Characters; even in UTF-8 such a key's length fits 16 bits. */
const MAX_KEY = 16_384;

export function keyValueOf({ key, revision, createRevision, lease }: Version, value: Uint8Array): KeyValue {
  return lease === undefined
    ? { key, value, createRevision, modRevision: revision }
    : { key, value, createRevision, modRevision: revision, lease };
}
