import type { Brand } from "#base/brand.ts";

/** The store's clock: every commit that changes something takes the next number, beginning at 1. */
export type Revision = Brand<number, "Revision">;
/** `/registry/pods/default/web-1`: upstream's layout. Ordered by UTF-8 bytes. */
export type Key = Brand<string, "Key">;
export type LeaseId = Brand<string, "LeaseId">;

export interface KeyValue {
  readonly key: Key;
  /** Never changed after it was handed over, by either side. */
  readonly value: Uint8Array;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  readonly lease?: LeaseId;
}

/** Half-open range of keys; `prefix("/registry/pods/")` makes one. */
export interface KeyRange {
  readonly from: Key;
  /** Exclusive; undefined means: to the end of the key space. */
  readonly to: Key | undefined;
}

/**
 * One compare-and-swap.
 *
 * `expect` is what the caller believes of the key: "absent", "any" (no check), or the modRevision it has read.
 */
export type Write =
  | { readonly put: Key; readonly value: Uint8Array; readonly expect: Revision | "absent" | "any"; readonly lease?: LeaseId }
  | { readonly delete: Key; readonly expect: Revision | "any" };

export type Commit =
  | { readonly ok: true; readonly revision: Revision; readonly previous: KeyValue | undefined }
  | { readonly ok: false; readonly because: "exists" | "missing" | "modRevision"; readonly current: KeyValue | undefined };

export type Change =
  | { readonly type: "put"; readonly kv: KeyValue; readonly previous: KeyValue | undefined }
  | { readonly type: "delete"; readonly key: Key; readonly revision: Revision; readonly previous: KeyValue };

/** Changes of one or more whole commits, in revision order; `revision` is that of the last commit contained. */
export interface ChangeBatch {
  readonly changes: readonly Change[];
  readonly revision: Revision;
}

export interface RangeResult {
  readonly kvs: readonly KeyValue[];
  /** Keys in the range after the returned ones. */
  readonly remaining: number;
  /** The revision the answer is true for. */
  readonly revision: Revision;
}

/** The asked revision has been compacted away. */
export class CompactedError extends Error {
  override readonly name = "CompactedError";
  readonly compactRevision: Revision;
  constructor(asked: Revision, compactRevision: Revision) {
    super(`Cannot read at revision ${asked}: it has been compacted, wanted ${compactRevision} or later`);
    this.compactRevision = compactRevision;
  }
}

/** The asked revision is not there yet. */
export class FutureRevisionError extends Error {
  override readonly name = "FutureRevisionError";
  readonly current: Revision;
  constructor(asked: Revision, current: Revision) {
    super(`Cannot read at revision ${asked}: the store is at ${current}, wanted that or an earlier one`);
    this.current = current;
  }
}

/** The store refuses writes: size cap reached, disk full, closed, or a damaged file. `message` says which and what to do. */
export class StoreUnavailableError extends Error {
  override readonly name = "StoreUnavailableError";
}

/**
 * etcd's contract over bytes and revisions. No Kubernetes in here.
 *
 * C1. `commit` answers after the change is as durable as the implementation promises (lmdb: fsynced; memory: none).
 *     Its revision is exactly one more than the one before; a failed or no-op commit (delete of a missing key with
 *     expect "any": `{ ok: false, because: "missing" }`) takes no revision.
 * C2. `range` and `get` are linearizable: they see every commit answered before the call. With `revision` they see the
 *     state just after that revision, or throw CompactedError / FutureRevisionError.
 * C3. `watch(range, from)` delivers every change in the range with revision >= `from`, in order, exactly once, whole commits.
 *     `from` at or below the compact revision throws CompactedError from the first `next()`; a later compaction does not harm a watch
 *     that has already begun. A watch from current + 1 sees only what comes.
 * C4. `compact(r)` makes states before `r` unreadable; the newest version of each key at `r` stays readable at `r`.
 *     Compacting at or below the compact revision changes nothing; above the newest revision throws FutureRevisionError.
 * C5. A lease that is not kept alive deletes its keys, each as an ordinary commit. TTL in seconds. A put without a lease detaches the
 *     key from the one it had; a put with an unknown lease rejects with LeaseNotFoundError; revoking an unknown lease does nothing.
 * C6. After dispose every method rejects with StoreUnavailableError and every watch ends.
 */
export interface Store extends AsyncDisposable {
  /** Newest revision; 0 when nothing was ever written. */
  revision(): Promise<Revision>;
  compactRevision(): Promise<Revision>;
  get(key: Key, options?: { readonly revision?: Revision }): Promise<KeyValue | undefined>;
  range(range: KeyRange, options?: { readonly revision?: Revision; readonly limit?: number }): Promise<RangeResult>;
  count(range: KeyRange): Promise<number>;
  commit(write: Write): Promise<Commit>;
  watch(range: KeyRange, from: Revision, signal: AbortSignal): AsyncIterable<ChangeBatch>;
  compact(revision: Revision): Promise<void>;
  grantLease(ttlSeconds: number): Promise<LeaseId>;
  keepLeaseAlive(lease: LeaseId): Promise<boolean>;
  revokeLease(lease: LeaseId): Promise<void>;
  /** Bytes on disk or in memory that count against the size cap. */
  sizeBytes(): Promise<number>;
}

/** A write names a lease that was never granted, has expired or was revoked. */
export class LeaseNotFoundError extends Error {
  override readonly name = "LeaseNotFoundError";
  constructor(key: Key, lease: LeaseId) {
    super(`Cannot write "${key}": lease "${lease}" does not exist, wanted one that is granted`);
  }
}

/** The range of all keys that begin with `prefix`; of every key when it is empty. */
export function prefixRange(prefix: string): KeyRange {
  const points = Array.from(prefix);
  for (;;) {
    const last = points.pop()?.codePointAt(0);
    if (last === undefined) return { from: prefix as Key, to: undefined };
    if (last === 0x10ffff) continue; // nothing comes after it: the character before decides
    const next = last === 0xd7ff ? 0xe000 : last + 1; // surrogates are no characters
    return { from: prefix as Key, to: `${points.join("")}${String.fromCodePoint(next)}` as Key };
  }
}
