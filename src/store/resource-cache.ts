import { setImmediate as yieldToLoop } from "node:timers/promises";
import { type Deferred, deferred } from "#base/deferred.ts";
import { invariant, required } from "#base/invariant.ts";
import type { Log } from "#base/log.ts";
import {
  type Change,
  CompactedError,
  type Key,
  prefixRange,
  type RangeResult,
  type Revision,
  type Store,
  StoreUnavailableError,
} from "./contract.ts";
import { createSortedList, type SortedList } from "./sorted-list.ts";
import type { Allocate, Entry, HubEvent, HubOptions, ResourceCache, Snapshot, WatchMessage } from "./watch-hub.ts";
import { createWatchStream, type WatchStart, type WatchStream } from "./watch-stream.ts";

/** The hub's side of a cache. */
export interface FedCache extends ResourceCache {
  /**
   * Reads the prefix anew. Changes may be fed while it does, from any revision at or before the one it reads. Begins again when reset
   * meanwhile; a second call joins the first.
   */
  load(signal: AbortSignal): Promise<void>;
  /** Changes were missed: ends all watchers as expired; nothing is served to new ones until `load` has been done again. */
  reset(): void;
  feed(change: Change): void;
  /** Every change at or below `revision` has been fed. */
  advance(revision: Revision): void;
  progress(): void;
  close(): void;
}

/** Objects decoded between two breaths of a load. */
const LOAD_STEP = 500;
/** Objects read together share pieces of memory of this size: a buffer for each costs more than its copy. */
const SLAB_BYTES = 64 * 1024;

export function createResourceCache(deps: { readonly store: Store; readonly log: Log }, prefix: string, options: HubOptions): FedCache {
  const { store, log } = deps;
  const { decode, history: historyLimit = 4096, backlog = 16_384 } = options;
  const range = prefixRange(prefix);

  let entries = new Map<Key, Entry>();
  let sorted: SortedList<Entry> = createSortedList();
  let revision = 0 as Revision;
  /** Changes fed while a load reads; undefined when what is held is complete. */
  let held: Change[] | undefined = [];
  let heldRevision = 0 as Revision;
  let loading: Promise<void> | undefined;
  let resets = 0;
  let closed = false;

  /** Every event after `historyStart` is in `history`, from index `historyFirst` on. */
  let history: (WatchMessage & { readonly type: "event" })[] = [];
  let historyFirst = 0;
  let historyStart = 0 as Revision;

  /** Watchers by the prefix they asked for, so that an event is matched once for all with the same one. */
  const streams = new Map<string, Set<WatchStream>>();
  const waiters = new Set<{ readonly revision: Revision; readonly done: Deferred<void> }>();
  let whole: readonly Entry[] | undefined; // the last answer to list(prefix), until something changes

  const cache: FedCache = {
    revision: () => revision,
    get: (key) => entries.get(key),
    list,
    async waitFor(wanted, signal) {
      signal.throwIfAborted();
      if (closed) throw closedError();
      if (revision >= wanted) return; // W5
      const waiter = { revision: wanted, done: deferred() };
      const abort = () => waiter.done.reject(signal.reason);
      waiters.add(waiter);
      signal.addEventListener("abort", abort, { once: true });
      try {
        await waiter.done.promise;
      } finally {
        waiters.delete(waiter);
        signal.removeEventListener("abort", abort);
      }
    },
    watch(wanted, after, signal) {
      assertOurs(wanted);
      const stream = open(wanted, after, signal);
      return { [Symbol.asyncIterator]: () => stream };
    },
    load(signal) {
      loading ??= load(signal);
      return loading;
    },
    reset() {
      resets++;
      held = [];
      heldRevision = 0 as Revision;
      for (const stream of allStreams()) stream.expire("the watch cache has lost the store's history and is read anew");
    },
    feed(change) {
      const key = change.type === "put" ? change.kv.key : change.key;
      if (!key.startsWith(prefix)) return;
      if (held !== undefined) held.push(change);
      else if (revisionOf(change) > historyStart) apply(key, change); // the load has seen the others
    },
    advance(to) {
      if (held !== undefined) heldRevision = to;
      if (held !== undefined || to <= revision) return;
      revision = to;
      for (const waiter of waiters) if (waiter.revision <= revision) waiter.done.resolve();
    },
    progress() {
      if (held !== undefined) return;
      const message = { type: "progress", revision } as const;
      for (const stream of allStreams()) stream.pushProgress(message); // W4: all events up to here were pushed before
    },
    close() {
      closed = true;
      for (const stream of allStreams()) stream.end();
      for (const waiter of waiters) waiter.done.reject(closedError());
    },
  };
  return cache;

  async function load(signal: AbortSignal): Promise<void> {
    try {
      let complete = false;
      while (!complete) complete = await readOnce(signal);
    } finally {
      loading = undefined; // at once: a reset right after this starts another
    }
  }

  /** False when what was read cannot be used, because changes were missed meanwhile. */
  async function readOnce(signal: AbortSignal): Promise<boolean> {
    const reset = resets;
    held ??= [];
    const loaded: Entry[] = [];
    const allocate = slabs();
    let at: Revision | undefined;
    // In steps: the store's copies of the values need not all be in memory at the same time.
    for (let from: Key | undefined = range.from; from !== undefined; ) {
      const page = await readPage(from, at);
      if (page === undefined) return false;
      at ??= page.revision;
      for (const { key, value, modRevision } of page.kvs) {
        const entry = decoded(key, value, modRevision, allocate);
        if (entry !== undefined) loaded.push(entry);
      }
      const last = page.kvs.at(-1)?.key;
      from = last === undefined || page.remaining === 0 ? undefined : (`${last}\0` as Key);
      if (from !== undefined) await yieldToLoop(undefined, { signal });
    }
    const loadedAt = required(at, "revision of the first page");
    if (reset !== resets) return false;
    entries = new Map(loaded.map((entry) => [entry.key, entry]));
    sorted = createSortedList(loaded);
    whole = undefined;
    history = [];
    historyFirst = 0;
    historyStart = loadedAt;
    const missed = held;
    held = undefined;
    for (const change of missed) cache.feed(change);
    cache.advance(Math.max(loadedAt, heldRevision) as Revision);
    return true;
  }

  /** Undefined when the revision that the pages before were read at has been compacted away. */
  async function readPage(from: Key, at: Revision | undefined): Promise<RangeResult | undefined> {
    try {
      return await store.range({ from, to: range.to }, { limit: LOAD_STEP, ...(at === undefined ? {} : { revision: at }) });
    } catch (cause) {
      if (at !== undefined && cause instanceof CompactedError) return undefined;
      throw cause;
    }
  }

  function list(wanted: string): Snapshot {
    assertOurs(wanted);
    if (wanted !== prefix) {
      const { from, to } = prefixRange(wanted);
      return { revision, entries: sorted.slice(from, to) };
    }
    whole ??= sorted.slice(range.from, range.to);
    return { revision, entries: whole };
  }

  function apply(key: Key, change: Change): void {
    const previous = entries.get(key);
    const at = revisionOf(change);
    const entry = change.type === "put" ? decoded(key, change.kv.value, at) : undefined;
    whole = undefined;
    if (entry !== undefined) {
      entries.set(key, entry);
      sorted.set(entry);
      emit({ type: previous === undefined ? "ADDED" : "MODIFIED", entry, previous, revision: at });
      return;
    }
    if (previous === undefined) return; // it was left out as undecodable all the time
    entries.delete(key);
    sorted.delete(key);
    const before = change.previous === undefined ? undefined : decoded(key, change.previous.value, at);
    emit({ type: "DELETED", entry: before ?? { ...previous, revision: at }, previous, revision: at });
  }

  function emit(event: HubEvent): void {
    const message = { type: "event", event } as const;
    history.push(message);
    if (history.length - historyFirst > historyLimit) {
      const dropped = history[historyFirst++];
      if (dropped !== undefined) historyStart = dropped.event.revision;
      if (historyFirst > historyLimit) {
        history = history.slice(historyFirst);
        historyFirst = 0;
      }
    }
    for (const [wanted, group] of streams) {
      if (wanted.length > prefix.length && !event.entry.key.startsWith(wanted)) continue;
      for (const stream of group) stream.push(message);
    }
  }

  function open(wanted: string, after: Revision | undefined, signal: AbortSignal): WatchStream {
    const { start, expired } = startOf(wanted, after);
    const stream = createWatchStream(start, backlog, signal, (ended) => {
      const group = streams.get(wanted);
      group?.delete(ended);
      if (group?.size === 0) streams.delete(wanted);
    });
    if (signal.aborted) return stream;
    if (closed) stream.end();
    else if (expired !== undefined) stream.expire(expired);
    else {
      const group = streams.get(wanted) ?? new Set();
      streams.set(wanted, group.add(stream));
    }
    return stream;
  }

  function startOf(wanted: string, after: Revision | undefined): { readonly start: WatchStart; readonly expired?: string } {
    if (held !== undefined) return { start: { after: revision }, expired: "the watch cache is being read from the store" };
    if (after === undefined) return { start: { snapshot: list(wanted), after: revision } };
    if (after < historyStart) return { start: { after }, expired: `too old resource version: ${after} (${historyStart})` };
    let first = history.length;
    while (first > historyFirst && (history[first - 1]?.event.revision ?? 0) > after) first--;
    const missed = history.slice(first);
    return { start: { missed: wanted === prefix ? missed : missed.filter(({ event }) => event.entry.key.startsWith(wanted)), after } };
  }

  /** Undefined where the stored bytes cannot be decoded: such an object is left out, and said so, rather than taking all others down. */
  function decoded(key: Key, value: Uint8Array, at: Revision, allocate?: Allocate): Entry | undefined {
    try {
      const { bytes, labels, fields } = decode(key, value, at, allocate);
      return { key, revision: at, bytes, labels, fields };
    } catch (cause) {
      log.error("Stored object cannot be decoded and is left out", { key, revision: at, cause });
      return undefined;
    }
  }

  function allStreams(): WatchStream[] {
    return [...streams.values()].flatMap((group) => [...group]);
  }

  function assertOurs(wanted: string): void {
    invariant(wanted.startsWith(prefix), "a cache is asked for its own prefix or a longer one");
  }

  function closedError(): Error {
    return new StoreUnavailableError(`Cannot wait for "${prefix}": the watch hub is closed, wanted an open one`);
  }
}

function revisionOf(change: Change): Revision {
  return change.type === "put" ? change.kv.modRevision : change.revision;
}

/**
 * Memory for what a load keeps. A slab lives as long as the last object in it: all of them together take no more than was loaded,
 * however many of its objects have been replaced since.
 */
function slabs(): Allocate {
  let slab = Buffer.alloc(0);
  let used = 0;
  return (length) => {
    if (length > SLAB_BYTES / 8) return Buffer.allocUnsafeSlow(length);
    if (used + length > slab.length) {
      slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      used = 0;
    }
    used += length;
    return slab.subarray(used - length, used);
  };
}
