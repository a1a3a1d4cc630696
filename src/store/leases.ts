import type { Clock, Instant } from "#base/clock.ts";
import type { Key, LeaseId } from "./contract.ts";
import { compareKeys } from "./key-order.ts";

export interface Leases {
  grant(id: LeaseId, ttlSeconds: number): void;
  /** False when there is none, or its time is over. */
  keepAlive(id: LeaseId): boolean;
  isGranted(id: LeaseId): boolean;
  /** A write to `key` has been decided: it leaves the lease it had and joins `to`. */
  move(key: Key, from: LeaseId | undefined, to: LeaseId | undefined): void;
  /** Refuses the lease to writers from now on and answers its keys, in order. */
  end(id: LeaseId): readonly Key[];
  /** Forgets an ended lease. */
  remove(id: LeaseId): void;
  /** Stops the timers and waits for an expiry under way. */
  close(): Promise<void>;
}

interface Lease {
  readonly id: LeaseId;
  readonly ttlSeconds: number;
  readonly keys: Set<Key>;
  due: Instant;
  ending: boolean;
}

/** Time between two tries to end a lease whose keys the store could not delete. */
const RETRY_MS = 1_000;

/**
 * Granted leases and the one timer for all of them, which runs only while there is a lease.
 *
 * `expire` ends a lease that was not kept alive; when it answers false, because the store could not delete, it is called again later.
 */
export function createLeases(clock: Clock, expire: (id: LeaseId) => Promise<boolean>): Leases {
  const leases = new Map<LeaseId, Lease>();
  const closing = new AbortController();
  let nap = new AbortController();
  let napUntil: Instant = Infinity;
  let running: Promise<void> | undefined;

  return {
    grant(id, ttlSeconds) {
      const lease = { id, ttlSeconds, keys: new Set<Key>(), due: clock.now() + ttlSeconds * 1000, ending: false };
      leases.set(id, lease);
      if (lease.due < napUntil) nap.abort();
      running ??= run();
    },
    keepAlive(id) {
      const lease = leases.get(id);
      if (lease === undefined || !isGranted(lease)) return false;
      lease.due = clock.now() + lease.ttlSeconds * 1000;
      return true;
    },
    isGranted: (id) => isGranted(leases.get(id)),
    move(key, from, to) {
      if (from === to) return;
      if (from !== undefined) leases.get(from)?.keys.delete(key);
      if (to !== undefined) leases.get(to)?.keys.add(key);
    },
    end(id) {
      const lease = leases.get(id);
      if (lease === undefined) return [];
      lease.ending = true;
      return [...lease.keys].sort(compareKeys);
    },
    remove(id) {
      leases.delete(id);
      if (leases.size === 0) nap.abort(); // lets the timer go
    },
    async close() {
      closing.abort();
      nap.abort();
      await running;
    },
  };

  /** A lease whose time is over is dead, though its keys may go a little later. */
  function isGranted(lease: Lease | undefined): boolean {
    return lease !== undefined && !lease.ending && lease.due > clock.now();
  }

  async function run(): Promise<void> {
    for (;;) {
      const next = earliest();
      if (next === undefined || closing.signal.aborted) break;
      if (next.due <= clock.now()) {
        const ended = await expire(next.id);
        if (!ended) next.due = clock.now() + RETRY_MS;
      } else {
        napUntil = next.due;
        nap = new AbortController();
        await clock.sleep(next.due - clock.now(), nap.signal);
        napUntil = Infinity;
      }
    }
    running = undefined; // before anybody else can run: a grant right after this starts a new loop
  }

  /** Of those due at the same time the one granted first. */
  function earliest(): Lease | undefined {
    let next: Lease | undefined;
    for (const lease of leases.values()) if (next === undefined || lease.due < next.due) next = lease;
    return next;
  }
}

/** Throws RangeError unless `ttlSeconds` can be a lease's. */
export function checkTtl(ttlSeconds: number): void {
  if (ttlSeconds > 0 && Number.isFinite(ttlSeconds)) return;
  throw new RangeError(`Cannot grant lease: its TTL is ${ttlSeconds} seconds, wanted more than 0`);
}
