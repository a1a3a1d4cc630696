import { type Deferred, deferred } from "#base/deferred.ts";
import { invariant } from "#base/invariant.ts";
import type { Revision } from "./contract.ts";
import type { Entry, WatchMessage } from "./watch-hub.ts";

export interface WatchStart {
  /** Current state, told as synthetic ADDED events first, then a progress message. */
  readonly snapshot?: { readonly entries: readonly Entry[]; readonly revision: Revision };
  /** Kept events the watcher has missed. */
  readonly missed?: readonly WatchMessage[];
  /** Events at or below are known to the watcher. */
  readonly after: Revision;
}

/** What a watcher reads and the cache writes: a cursor over shared messages plus a queue of those it has not read yet. */
export interface WatchStream extends AsyncIterator<WatchMessage, undefined> {
  push(message: WatchMessage): void;
  pushProgress(message: WatchMessage & { readonly type: "progress" }): void;
  expire(reason: string): void;
  end(): void;
}

/** `onEnd` is called once, when nothing more can be pushed. */
export function createWatchStream(
  start: WatchStart,
  backlog: number,
  signal: AbortSignal,
  onEnd: (stream: WatchStream) => void,
): WatchStream {
  let { snapshot, missed } = start;
  let position = 0; // in the snapshot, then in what was missed, then in the queue
  let queue: WatchMessage[] = [];
  let waiting: Deferred<IteratorResult<WatchMessage, undefined>> | undefined;
  let last: WatchMessage | undefined; // the expired message, told even though the stream has ended
  let ended = false;

  const stream: WatchStream = {
    push(message) {
      if (ended || (message.type === "event" && message.event.revision <= start.after)) return;
      if (waiting !== undefined) answer({ done: false, value: message });
      else if (queue.length - (snapshot === undefined && missed === undefined ? position : 0) < backlog) queue.push(message);
      else stream.expire(`watcher is more than ${backlog} events behind`); // W3
    },
    pushProgress(message) {
      if (message.revision >= start.after) stream.push(message);
    },
    expire(reason) {
      if (ended) return;
      const message: WatchMessage = { type: "expired", reason };
      if (waiting !== undefined) answer({ done: false, value: message });
      else last = message;
      end();
    },
    end,
    next() {
      invariant(waiting === undefined, "a watch is read by one reader");
      const message = take();
      if (message !== undefined) return Promise.resolve({ done: false, value: message });
      if (ended) return Promise.resolve(FINISHED);
      waiting = deferred();
      return waiting.promise;
    },
    return() {
      last = undefined;
      end();
      return Promise.resolve(FINISHED);
    },
  };
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  return stream;

  function end(): void {
    if (ended) return;
    ended = true;
    snapshot = missed = undefined;
    queue = [];
    signal.removeEventListener("abort", end);
    if (waiting !== undefined) answer(FINISHED);
    onEnd(stream);
  }

  function answer(result: IteratorResult<WatchMessage, undefined>): void {
    const reader = waiting;
    waiting = undefined;
    reader?.resolve(result);
  }

  function take(): WatchMessage | undefined {
    if (last !== undefined) {
      const message = last;
      last = undefined;
      return message;
    }
    if (snapshot !== undefined) {
      const { entries, revision } = snapshot;
      const entry = entries[position++];
      if (entry !== undefined) return { type: "event", event: { type: "ADDED", entry, previous: undefined, revision: entry.revision } };
      snapshot = undefined;
      position = 0;
      return { type: "progress", revision };
    }
    if (missed !== undefined) {
      const message = missed[position++];
      if (message !== undefined) return message;
      missed = undefined;
      position = 0;
    }
    const message = queue[position];
    if (message === undefined) return undefined;
    position++;
    if (position === queue.length) {
      queue = [];
      position = 0;
    } else if (position === COMPACT_AT) {
      queue = queue.slice(position); // lets the read messages go
      position = 0;
    }
    return message;
  }
}

const COMPACT_AT = 1024;
const FINISHED: IteratorResult<never, undefined> = { done: true, value: undefined };
