import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { Clock } from "#base/clock.ts";
import { required } from "#base/invariant.ts";
import {
  type Commit,
  FutureRevisionError,
  type KeyValue,
  LeaseNotFoundError,
  type LeaseId,
  type Revision,
  type Store,
  StoreUnavailableError,
  type Write,
} from "./contract.ts";
import { checkTtl, createLeases } from "./leases.ts";
import { createLogWatches } from "./log-watch.ts";
import { decideWrite, keyValueOf, type Version } from "./version.ts";
import { createVersionIndex } from "./version-index.ts";

/** Commits dropped between two breaths of a compaction. */
const COMPACTION_STEP = 2_000;

/** The store's contract without a disk: for tests and for control planes that live as long as their process. */
export function createMemoryStore({ clock }: { readonly clock: Clock }): Store {
  const index = createVersionIndex();
  const watches = createLogWatches(index, valueOf);
  const leases = createLeases(clock, endLease);
  let lastLease = 0;
  let closed = false;
  let forgetting: Promise<void> | undefined;

  return {
    async revision() {
      assertOpen();
      return index.revision;
    },
    async compactRevision() {
      assertOpen();
      return index.compactRevision;
    },
    async get(key, options) {
      assertOpen();
      return read(index.find(key, options?.revision));
    },
    async range(range, options) {
      assertOpen();
      const { versions, remaining, revision } = index.select(range, options?.revision, options?.limit);
      return { kvs: versions.map((version) => keyValueOf(version, valueOf(version))), remaining, revision };
    },
    async count(range) {
      assertOpen();
      return index.count(range);
    },
    async commit(write) {
      assertOpen();
      if ("put" in write && write.lease !== undefined && !leases.isGranted(write.lease))
        throw new LeaseNotFoundError(write.put, write.lease);
      return commit(write);
    },
    watch: (range, from, signal) => watches.open(range, from, signal),
    async compact(revision) {
      assertOpen();
      if (revision > index.revision) throw new FutureRevisionError(revision, index.revision);
      if (revision <= index.compactRevision) return;
      index.setCompactRevision(revision);
      forgetting ??= forget();
      await forgetting;
    },
    async grantLease(ttlSeconds) {
      assertOpen();
      checkTtl(ttlSeconds);
      const id = String(++lastLease) as LeaseId;
      leases.grant(id, ttlSeconds);
      return id;
    },
    async keepLeaseAlive(lease) {
      assertOpen();
      return leases.keepAlive(lease);
    },
    async revokeLease(lease) {
      assertOpen();
      await endLease(lease);
    },
    async sizeBytes() {
      assertOpen();
      return index.bytes;
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      watches.close();
      await leases.close();
      await forgetting;
    },
  };

  function commit(write: Write): Commit {
    const key = "put" in write ? write.put : write.delete;
    const head = index.head(key);
    const decision = decideWrite(write, head, (index.revision + 1) as Revision);
    if (!decision.ok) return { ok: false, because: decision.because, current: read(head) };
    leases.move(key, head?.lease, decision.version.lease);
    const { version, previous } = index.apply(decision.version);
    watches.published();
    return { ok: true, revision: version.revision, previous: read(previous) };
  }

  async function endLease(id: LeaseId): Promise<boolean> {
    for (const key of leases.end(id)) commit({ delete: key, expect: "any" }); // C5
    leases.remove(id);
    return true;
  }

  async function forget(): Promise<void> {
    for (;;) {
      await yieldToLoop();
      if (closed || index.forget(COMPACTION_STEP) === undefined) break;
    }
    forgetting = undefined;
  }

  function assertOpen(): void {
    if (closed) throw new StoreUnavailableError("Cannot use store: it is closed, wanted an open one"); // C6
  }
}

function valueOf({ key, value }: Version): Uint8Array {
  return required(value, `value of ${key}`);
}

function read(version: Version | undefined): KeyValue | undefined {
  return version === undefined ? undefined : keyValueOf(version, valueOf(version));
}
