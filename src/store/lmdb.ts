import { statfs } from "node:fs/promises";
import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { Clock } from "#base/clock.ts";
import { deferred } from "#base/deferred.ts";
import type { Log } from "#base/log.ts";
import {
  type Commit,
  FutureRevisionError,
  type Key,
  type KeyValue,
  type LeaseId,
  LeaseNotFoundError,
  prefixRange,
  type Revision,
  type Store,
  StoreUnavailableError,
  type Write,
} from "./contract.ts";
import { createGroupCommit, type Job } from "./group-commit.ts";
import { checkTtl, createLeases } from "./leases.ts";
import { type LmdbEnv, type LoadedEnv, openLmdbEnv, type Record } from "./lmdb-env.ts";
import { recordSize } from "./lmdb-record.ts";
import { createLogWatches } from "./log-watch.ts";
import { createValueCache } from "./value-cache.ts";
import { decideWrite, keyValueOf, type Version } from "./version.ts";
import { createVersionIndex } from "./version-index.ts";

export interface LmdbStoreDeps {
  /** A folder of its own: made when missing, 0700. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface LmdbStoreOptions {
  /** Puts are refused when the versions held take more than this; deletions and compaction go on. @default 8 GiB */
  readonly maxBytes?: number;
  /** Newest values kept in memory. @default 16 MiB */
  readonly cacheBytes?: number;
}

const DEFAULT_MAX_BYTES = 8 * 2 ** 30;
/** Versions deleted from the file in one group, and values read from it without a breath. */
const FORGET_STEP = 500;
const READ_STEP = 500;

/**
 * Opens the store in a folder, which no other live process may have open.
 *
 * Commits are decided in memory, in order, and written in groups; each is answered when its group has been synced. What is not
 * durable yet is seen by later decisions only, never by readers or watches. Keys and revisions are held in memory, values in the file.
 */
export async function openLmdbStore(deps: LmdbStoreDeps, options: LmdbStoreOptions = {}): Promise<Store> {
  const { path, clock, log } = deps;
  const began = clock.now();
  const env = await openLmdbEnv(path, (options.maxBytes ?? DEFAULT_MAX_BYTES) * 1.25 + 64 * 2 ** 20);
  try {
    const loaded = await env.load();
    log.info("Store opened", { path, revision: loaded.revision, versions: loaded.versions.length, tookMs: clock.now() - began });
    return createLmdbStore(env, loaded, deps, options);
  } catch (cause) {
    await env.close();
    throw cause;
  }
}

/** The store over an open environment, which it closes when it is disposed. Starts the timers of leases, and cleaning up where there is need. */
export function createLmdbStore(
  env: LmdbEnv,
  loaded: LoadedEnv,
  { path, clock, log }: LmdbStoreDeps,
  options: LmdbStoreOptions = {},
): Store {
  const { maxBytes = DEFAULT_MAX_BYTES, cacheBytes = 16 * 2 ** 20 } = options;
  const index = createVersionIndex(loaded);
  const values = createValueCache(cacheBytes);
  const watches = createLogWatches(index, valueOf);
  const leases = createLeases(clock, expireLease);
  const { garbage } = loaded;
  let { lastLease } = loaded;
  /** Decided and not durable yet: the newest version of each such key. */
  const staged = new Map<Key, Version>();
  let stagedRevision = index.revision;
  let stagedBytes = 0;
  let closed = false;
  let closing: Promise<void> | undefined;
  /** The last group failed, and the log says so. */
  let failing = false;
  /** Set when it is not known what the file holds: only opening it again helps. */
  let broken: StoreUnavailableError | undefined;
  let cleaning: Promise<void> | undefined;

  const group = createGroupCommit<StoreJob>({
    persist: (jobs) => env.write(jobs.flatMap(({ record }) => record ?? [])),
    persisted() {
      if (failing) log.info("Store can be written again", { path });
      failing = false;
      watches.published();
    },
    explain,
    abandon,
  });
  for (const { id, ttlSeconds } of loaded.leases) leases.grant(id, ttlSeconds);
  attachLeases();
  startCleaning();

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
      const pin = index.pin(revision); // the values stay in the file while this reads them
      try {
        const kvs: KeyValue[] = [];
        for (const version of versions) {
          if (kvs.length % READ_STEP === READ_STEP - 1) {
            await yieldToLoop();
            assertOpen();
          }
          kvs.push(keyValueOf(version, valueOf(version)));
        }
        return { kvs, remaining, revision };
      } finally {
        pin.release();
      }
    },
    async count(range) {
      assertOpen();
      return index.count(range);
    },
    async commit(write) {
      assertOpen();
      return commit(write);
    },
    watch: (range, from, signal) => watches.open(range, from, signal),
    async compact(revision) {
      assertOpen();
      if (revision > index.revision) throw new FutureRevisionError(revision, index.revision);
      if (revision <= index.compactRevision) return;
      await persist({ compactRevision: revision }, () => {
        if (revision > index.compactRevision) index.setCompactRevision(revision);
      });
      startCleaning();
    },
    async grantLease(ttlSeconds) {
      assertOpen();
      checkTtl(ttlSeconds);
      const id = String(++lastLease) as LeaseId;
      await persist({ grant: id, ttlSeconds, lastLease }, () => leases.grant(id, ttlSeconds));
      return id;
    },
    async keepLeaseAlive(lease) {
      assertOpen();
      return leases.keepAlive(lease);
    },
    async revokeLease(lease) {
      assertOpen();
      if (leases.isGranted(lease)) await endLease(lease);
    },
    async sizeBytes() {
      assertOpen();
      return index.bytes;
    },
    [Symbol.asyncDispose]() {
      closing ??= close();
      return closing;
    },
  };

  async function close(): Promise<void> {
    closed = true;
    watches.close();
    await leases.close();
    await cleaning;
    await group.idle();
    await env.close();
  }

  /** Decides now, answers when it is durable. With `ofLease`, a key that has left this lease counts as missing. */
  async function commit(write: Write, ofLease?: LeaseId): Promise<Commit> {
    const key = "put" in write ? write.put : write.delete;
    const newest = staged.get(key) ?? index.head(key);
    const head = newest?.deleted === true || (ofLease !== undefined && newest?.lease !== ofLease) ? undefined : newest;
    if ("put" in write && write.lease !== undefined && !leases.isGranted(write.lease)) throw new LeaseNotFoundError(key, write.lease);

    const decision = decideWrite(write, head, (stagedRevision + 1) as Revision, recordSize);
    if (!decision.ok) {
      // What it was decided on must be durable before anybody may learn of it.
      if (staged.has(key)) await persist(undefined, () => undefined);
      return { ok: false, because: decision.because, current: read(head) };
    }
    const { version } = decision;
    if (!version.deleted && index.bytes + stagedBytes + version.size > maxBytes) {
      throw new StoreUnavailableError(
        `Cannot write "${key}": the store holds ${index.bytes} of at most ${maxBytes} bytes, wanted room for ${version.size}: delete objects and compact, or raise the limit`,
      );
    }
    stagedRevision = version.revision;
    stagedBytes += version.size;
    staged.set(key, version);
    leases.move(key, head?.lease, version.lease);
    return persist({ put: version }, (): Commit => {
      const { previous } = index.apply(version);
      stagedBytes -= version.size;
      if (staged.get(key) === version) staged.delete(key);
      values.keep(version);
      return { ok: true, revision: version.revision, previous: read(previous) };
    });
  }

  /** Resolves with `durable`'s answer, which is asked as soon as the record is on disk. */
  function persist<T>(record: Record | undefined, durable: () => T): Promise<T> {
    if (broken !== undefined) return Promise.reject(broken);
    const answer = deferred<T>();
    group.add({
      record,
      bytes: record !== undefined && "put" in record ? record.put.size : 64,
      durable() {
        try {
          answer.resolve(durable());
        } catch (cause) {
          answer.reject(cause); // the value before is damaged: it concerns this caller only
        }
      },
      failed: (cause) => answer.reject(cause),
    });
    return answer.promise;
  }

  async function explain(cause: unknown): Promise<Error> {
    const free = await freeBytes();
    if (!failing) log.error("Store cannot be written", { path, cause });
    failing = true;
    return new StoreUnavailableError(
      `Cannot write to store "${path}": ${cause instanceof Error ? cause.message : String(cause)}${free}, wanted a writable disk with room: free some space and try again`,
      { cause },
    );
  }

  /** Nothing of what is staged has happened. */
  function abandon(reason: Error): Error {
    staged.clear();
    stagedBytes = 0;
    stagedRevision = index.revision;
    attachLeases();
    if (env.lastRevision() > index.revision) {
      broken = new StoreUnavailableError(
        `Cannot write to store "${path}": a failed write has left traces, wanted a clean file: restart to read it anew`,
        { cause: reason },
      );
    }
    return broken ?? reason;
  }

  async function freeBytes(): Promise<string> {
    try {
      const { bavail, bsize } = await statfs(path);
      return ` (${bavail * bsize} bytes free)`;
    } catch (cause) {
      log.warn("Free space of the store's disk is unknown", { path, cause });
      return "";
    }
  }

  async function endLease(id: LeaseId): Promise<void> {
    await Promise.all(leases.end(id).map((key) => commit({ delete: key, expect: "any" }, id))); // C5
    await persist({ endLease: id }, () => leases.remove(id));
  }

  async function expireLease(id: LeaseId): Promise<boolean> {
    try {
      await endLease(id);
      return true;
    } catch (cause) {
      log.warn("Expired lease cannot be ended yet", { lease: id, cause });
      return false;
    }
  }

  /** Tells the leases their keys as the durable state has them. */
  function attachLeases(): void {
    for (const { key, lease } of index.select(EVERYTHING, undefined, undefined).versions) leases.move(key, undefined, lease);
  }

  function startCleaning(): void {
    cleaning ??= clean();
  }

  /** Deletes from the file what nobody can read any more, a step at a time between other groups. */
  async function clean(): Promise<void> {
    for (;;) {
      await yieldToLoop();
      if (closed) break;
      const forget =
        garbage.length > 0 ? garbage.splice(-FORGET_STEP).toReversed() : index.forget(FORGET_STEP)?.map(({ revision }) => revision);
      if (forget === undefined) break;
      try {
        if (forget.length > 0) await persist({ forget }, () => undefined);
      } catch (cause) {
        garbage.push(...forget.toReversed()); // with the next compaction
        log.warn("Compacted versions cannot be deleted yet", { path, cause });
        break;
      }
    }
    cleaning = undefined;
  }

  function valueOf(version: Version): Uint8Array {
    return version.value ?? env.read(version);
  }

  function read(version: Version | undefined): KeyValue | undefined {
    return version === undefined ? undefined : keyValueOf(version, valueOf(version));
  }

  function assertOpen(): void {
    if (closed) throw new StoreUnavailableError(`Cannot use store "${path}": it is closed, wanted an open one`); // C6
    if (broken !== undefined) throw broken;
  }
}

interface StoreJob extends Job {
  readonly record: Record | undefined;
}

const EVERYTHING = prefixRange("");
