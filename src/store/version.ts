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

/** Bytes that keeping a version costs besides its key and value. */
const VERSION_OVERHEAD = 64;

/** Whether `write` may happen when `head` is the newest state of its key (undefined: there is none), and what it then makes. */
export function decideWrite(write: Write, head: Version | undefined, revision: Revision): Decision {
  if ("put" in write) {
    if (write.expect === "absent" && head !== undefined) return { ok: false, because: "exists" };
    if (typeof write.expect === "number") {
      if (head === undefined) return { ok: false, because: "missing" };
      if (head.revision !== write.expect) return { ok: false, because: "modRevision" };
    }
    const size = VERSION_OVERHEAD + write.put.length + write.value.byteLength;
    const { put: key, lease, value } = write;
    return { ok: true, version: { key, revision, createRevision: head?.createRevision ?? revision, deleted: false, lease, size, value } };
  }
  if (head === undefined) return { ok: false, because: "missing" };
  if (write.expect !== "any" && head.revision !== write.expect) return { ok: false, because: "modRevision" };
  const { key, createRevision } = head;
  const size = VERSION_OVERHEAD + key.length;
  return { ok: true, version: { key, revision, createRevision, deleted: true, lease: undefined, size, value: undefined } };
}

export function keyValueOf({ key, revision, createRevision, lease }: Version, value: Uint8Array): KeyValue {
  return lease === undefined
    ? { key, value, createRevision, modRevision: revision }
    : { key, value, createRevision, modRevision: revision, lease };
}
