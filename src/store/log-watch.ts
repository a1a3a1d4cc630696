import { type Deferred, deferred } from "#base/deferred.ts";
import { invariant } from "#base/invariant.ts";
import { type Change, type ChangeBatch, CompactedError, type KeyRange, type Revision, StoreUnavailableError } from "./contract.ts";
import { compareKeys } from "./key-order.ts";
import { keyValueOf, type Version } from "./version.ts";
import type { Logged, VersionIndex } from "./version-index.ts";

export interface LogWatches {
  open(range: KeyRange, from: Revision, signal: AbortSignal): AsyncIterable<ChangeBatch>;
  /** The index has grown: wakes the watches that wait. */
  published(): void;
  /** Ends every watch, now and in future. */
  close(): void;
}

/** Changes handed over at a time, so that catching up neither blocks the loop nor holds many values. */
const MAX_BATCH = 500;

/**
 * Watches that read the index's log at their own pace: a slow one costs memory only by pinning history, never by a queue of its own.
 * A watch begins when it is opened, not when it is first read.
 */
export function createLogWatches(index: VersionIndex, valueOf: (version: Version) => Uint8Array): LogWatches {
  const watches = new Set<{ wake(): void; end(): void }>();
  let closed = false;

  return {
    published() {
      for (const watch of watches) watch.wake();
    },
    close() {
      closed = true;
      for (const watch of watches) watch.end();
    },
    open(range, from, signal) {
      let position: number = from; // the next revision to look at
      let ended = false;
      let waiting: Deferred<IteratorResult<ChangeBatch, undefined>> | undefined;
      if (closed) return failing(new StoreUnavailableError("Cannot watch: the store is closed, wanted an open one"));
      if (from <= index.compactRevision) return failing(new CompactedError(from, index.compactRevision));
      if (signal.aborted) return { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(finished) }) };

      const pin = index.pin((from - 1) as Revision); // C3: a later compaction does no harm
      const watch = { wake, end };
      watches.add(watch);
      signal.addEventListener("abort", end, { once: true });
      const iterator: AsyncIterator<ChangeBatch, undefined> = { next, return: () => (end(), Promise.resolve(finished)) };
      return { [Symbol.asyncIterator]: () => iterator };

      function wake() {
        if (waiting === undefined) return;
        const reader = waiting;
        try {
          const batch = pull();
          if (batch === undefined) return;
          waiting = undefined;
          reader.resolve({ done: false, value: batch });
        } catch (cause) {
          waiting = undefined;
          reader.reject(cause);
          end();
        }
      }

      function end() {
        ended = true;
        watches.delete(watch);
        pin.release();
        signal.removeEventListener("abort", end);
        waiting?.resolve(finished);
        waiting = undefined;
      }

      function next(): Promise<IteratorResult<ChangeBatch, undefined>> {
        invariant(waiting === undefined, "a watch is read by one reader");
        if (ended) return Promise.resolve(finished);
        waiting = deferred();
        const { promise } = waiting;
        wake();
        return promise;
      }

      function pull(): ChangeBatch | undefined {
        const changes: Change[] = [];
        while (position <= index.revision && changes.length < MAX_BATCH) {
          const logged = index.logged(position as Revision);
          invariant(logged !== undefined, "a pinned commit is in the log");
          position++;
          if (contains(range, logged.version.key)) changes.push(changeOf(logged));
        }
        pin.advance((Math.max(position, from) - 1) as Revision);
        return changes.length === 0 ? undefined : { changes, revision: (position - 1) as Revision };
      }
    },
  };

  function changeOf({ version, previous }: Logged): Change {
    const before = previous === undefined ? undefined : keyValueOf(previous, valueOf(previous));
    if (!version.deleted) return { type: "put", kv: keyValueOf(version, valueOf(version)), previous: before };
    invariant(before !== undefined, "only a live key is deleted");
    return { type: "delete", key: version.key, revision: version.revision, previous: before };
  }
}

const finished: IteratorResult<never, undefined> = { done: true, value: undefined };

function failing(failure: Error): AsyncIterable<ChangeBatch> {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(failure) }) };
}

function contains({ from, to }: KeyRange, key: string): boolean {
  return (from === "" || compareKeys(from, key) <= 0) && (to === undefined || compareKeys(key, to) < 0);
}
