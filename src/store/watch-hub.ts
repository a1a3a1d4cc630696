import { backoffDelayMs } from "#base/backoff.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { openScope } from "#base/scope.ts";
import { CompactedError, type Key, prefixRange, type Revision, type Store, StoreUnavailableError } from "./contract.ts";
import { createResourceCache, type FedCache } from "./resource-cache.ts";

/** What selectors and field selectors look at, kept beside the bytes so that matching parses nothing. */
export interface Facets {
  readonly labels: Readonly<Record<string, string>>;
  /** Selectable fields by path: `metadata.name`, `spec.nodeName`, ... */
  readonly fields: Readonly<Record<string, string>>;
}

/** One object as clients see it: canonical JSON bytes with its resourceVersion spliced in once per write. */
export interface Entry extends Facets {
  readonly key: Key;
  readonly revision: Revision;
  readonly bytes: Uint8Array;
}

export type HubEvent =
  | { readonly type: "ADDED" | "MODIFIED"; readonly entry: Entry; readonly previous: Entry | undefined; readonly revision: Revision }
  /** `entry` holds the last state with the deletion's resourceVersion. */
  | { readonly type: "DELETED"; readonly entry: Entry; readonly previous: Entry; readonly revision: Revision };

/** Memory for bytes that stay in a cache; what is in it is undefined. */
export type Allocate = (length: number) => Buffer;

export interface HubOptions {
  /** Turns stored bytes into what clients see; called once per write. While many are read, `allocate` gives memory for the bytes. */
  readonly decode: (key: Key, value: Uint8Array, revision: Revision, allocate?: Allocate) => { readonly bytes: Uint8Array } & Facets;
  /** Events kept for watchers that come back with an older revision. @default 4096 per prefix */
  readonly history?: number;
  /** A watcher more than this many events behind is ended. @default 16384 */
  readonly backlog?: number;
}

export type WatchMessage =
  | { readonly type: "event"; readonly event: HubEvent }
  /** Everything at or below `revision` has been delivered. */
  | { readonly type: "progress"; readonly revision: Revision }
  /** The watcher fell behind or asked for a revision that is gone. The stream ends after it. */
  | { readonly type: "expired"; readonly reason: string };

/** A consistent snapshot of one prefix, ordered by key bytes. */
export interface Snapshot {
  readonly revision: Revision;
  readonly entries: readonly Entry[];
}

/**
 * All current objects under one key prefix, in memory, and their changes.
 *
 * W1. A watcher opened at revision R receives every change in (R, now], in revision order, exactly once.
 * W2. No order is promised between watchers.
 * W3. A watcher more than `backlog` events behind is ended with `expired`; others are never slowed by it.
 * W4. After `progress` with revision B no event <= B follows.
 * W5. `waitFor(R)` resolves once the cache has seen R, so that `list` after it reads one's own writes.
 */
export interface ResourceCache {
  /** The revision the cache is at. */
  revision(): Revision;
  get(key: Key): Entry | undefined;
  /** Entries whose key begins with `prefix`, which is this cache's prefix or longer. */
  list(prefix: string): Snapshot;
  waitFor(revision: Revision, signal: AbortSignal): Promise<void>;
  /** `after` undefined begins with synthetic ADDED events of the current state (then a progress message). */
  watch(prefix: string, after: Revision | undefined, signal: AbortSignal): AsyncIterable<WatchMessage>;
}

/** One cache per prefix, made on first use and kept. */
export interface WatchHub extends AsyncDisposable {
  cache(prefix: string, options: HubOptions): Promise<ResourceCache>;
}

export interface WatchHubDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export interface WatchHubOptions {
  /** Time between two progress messages to every watcher. @default 30_000 */
  readonly progressEveryMs?: number;
}

const RETRY = { baseMs: 50, maxMs: 5_000 };

/**
 * Makes a hub over any store. It starts nothing: the first `cache` opens the one watch that feeds all caches.
 *
 * One watch over all keys means that every cache is at the store's newest revision even when nothing under its prefix changes. A
 * failed watch is resumed where it ended; when the store no longer has that history, all caches are read anew and all watchers expire.
 * A watch that starts while that goes on expires too. Disposing ends every watcher without a message.
 */
export function createWatchHub({ store, clock, log }: WatchHubDeps, { progressEveryMs = 30_000 }: WatchHubOptions = {}): WatchHub {
  const scope = openScope(new AbortController().signal, log);
  const caches = new Map<string, FedCache>();
  const opening = new Map<string, Promise<ResourceCache>>();
  /** Every change at or below has been fed to every cache. */
  let seen: Revision | undefined;
  let starting: Promise<void> | undefined;

  return {
    cache(prefix, options) {
      const known = opening.get(prefix);
      if (known !== undefined) return known;
      const opened = open(prefix, options);
      opening.set(prefix, opened);
      opened.catch(() => opening.delete(prefix)); // the caller has the rejection; the next one tries again
      return opened;
    },
    async [Symbol.asyncDispose]() {
      for (const cache of caches.values()) cache.close();
      await scope.close();
    },
  };

  async function open(prefix: string, options: HubOptions): Promise<ResourceCache> {
    starting ??= start();
    try {
      await starting;
    } catch (cause) {
      starting = undefined;
      throw cause;
    }
    assertOpen();
    const cache = createResourceCache({ store, log }, prefix, options);
    caches.set(prefix, cache); // fed from now on, also while it loads
    try {
      await cache.load(scope.signal);
      assertOpen();
    } catch (cause) {
      caches.delete(prefix);
      cache.close();
      throw cause;
    }
    return cache;
  }

  async function start(): Promise<void> {
    seen = await store.revision();
    assertOpen();
    scope.spawn("watch the store", feed);
    scope.spawn("tell progress", async (signal) => {
      for (;;) {
        await clock.sleep(progressEveryMs, signal);
        if (signal.aborted) return;
        for (const cache of caches.values()) cache.progress();
      }
    });
  }

  async function feed(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      let feeding = false;
      try {
        for await (const { changes, revision } of store.watch(prefixRange(""), ((seen ?? 0) + 1) as Revision, signal)) {
          if (failures > 0) log.info("Watch of the store resumed", { revision });
          failures = 0;
          feeding = true;
          for (const change of changes) for (const cache of caches.values()) cache.feed(change);
          seen = revision;
          for (const cache of caches.values()) cache.advance(revision);
          feeding = false;
        }
        if (signal.aborted) return;
        if (failures++ === 0) log.warn("Watch of the store ended, resuming it", { revision: seen });
      } catch (cause) {
        if (signal.aborted) return;
        if (failures++ === 0) log.warn("Watch of the store failed, resuming it", { revision: seen, cause });
        // A change that only some caches have been fed cannot be fed again.
        if (feeding || cause instanceof CompactedError) await startOver(signal);
      }
      await clock.sleep(backoffDelayMs(RETRY, failures - 1), signal);
    }
  }

  /** Continuity is lost: reads every cache anew, beside the watch that goes on from now. */
  async function startOver(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        seen = await store.revision();
        break;
      } catch (cause) {
        log.warn("Revision of the store cannot be read, trying again", { cause });
        await clock.sleep(backoffDelayMs(RETRY, attempt), signal);
        if (signal.aborted) return;
      }
    }
    // After the revision is known: what a load under way has read may be older, and begins again.
    for (const [prefix, cache] of caches) {
      cache.reset();
      scope.spawn(`read ${prefix}`, (signal) => reload(prefix, cache, signal));
    }
  }

  async function reload(prefix: string, cache: FedCache, signal: AbortSignal): Promise<void> {
    for (let attempt = 0; !signal.aborted && caches.get(prefix) === cache; attempt++) {
      try {
        await cache.load(signal);
        return;
      } catch (cause) {
        if (signal.aborted) return;
        log.warn("Objects cannot be read from the store, trying again", { prefix, cause });
        await clock.sleep(backoffDelayMs(RETRY, attempt), signal);
      }
    }
  }

  function assertOpen(): void {
    if (scope.signal.aborted) throw new StoreUnavailableError("Cannot read from the watch hub: it is closed, wanted an open one");
  }
}
