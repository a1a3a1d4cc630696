import { type Backoff, backoffDelayMs } from "#base/backoff.ts";
import type { Clock, Instant } from "#base/clock.ts";
import type { WorkQueue } from "./contract.ts";
import { createDelayHeap } from "./delay-heap.ts";

const PER_KEY: Backoff = { baseMs: 5, maxMs: 1_000_000 };
/** Retries of all keys together: 10 a second after a burst of 100. */
const OVERALL = { perSecond: 10, burst: 100 };

/**
 * Q1. A key in `ready` is in `dirty` and not in `processing`; a key added while processing is in `dirty` only, until `done`.
 * Q2. A delayed key becomes ready not before its time; of several times for one key the earliest counts.
 * Q3. No timer runs while nobody waits in `take`.
 */
export function createWorkQueue<K extends string = string>({ clock }: { readonly clock: Clock }): WorkQueue<K> {
  const ready: K[] = [];
  let head = 0;
  const dirty = new Set<K>();
  const processing = new Set<K>();
  const delayed = createDelayHeap<K>();
  const failures = new Map<K, number>();
  const takers = new Set<() => void>();
  let timer: { readonly due: Instant; readonly abort: AbortController } | undefined;
  let tokens = OVERALL.burst;
  let tokensAt = clock.now();

  return {
    add,
    addAfter,
    retryLater(key) {
      const attempt = failures.get(key) ?? 0;
      failures.set(key, attempt + 1);
      addAfter(key, Math.max(backoffDelayMs(PER_KEY, attempt), reserveMs()));
    },
    forget: (key) => void failures.delete(key),
    async take(signal) {
      for (;;) {
        if (signal.aborted) return undefined;
        promote();
        const key = shift();
        if (key !== undefined) {
          dirty.delete(key);
          processing.add(key);
          return key;
        }
        await wait(signal);
      }
    },
    done(key) {
      processing.delete(key);
      if (dirty.has(key)) push(key);
    },
    get length() {
      return ready.length - head;
    },
  };

  function add(key: K): void {
    if (dirty.has(key)) return;
    dirty.add(key);
    if (!processing.has(key)) push(key);
  }

  function addAfter(key: K, ms: number): void {
    if (ms <= 0) {
      add(key);
      return;
    }
    delayed.add(key, clock.now() + ms);
    arm();
  }

  function push(key: K): void {
    ready.push(key);
    wakeOne();
  }

  function wakeOne(): void {
    const taker = takers.values().next();
    if (!taker.done) taker.value();
  }

  function shift(): K | undefined {
    const key = ready[head];
    if (key === undefined) return undefined;
    head++;
    if (head > 1024 && head * 2 > ready.length) {
      ready.splice(0, head);
      head = 0;
    }
    return key;
  }

  function promote(): void {
    const now = clock.now();
    for (let key = delayed.takeDue(now); key !== undefined; key = delayed.takeDue(now)) add(key);
  }

  async function wait(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      takers.add(wake);
      signal.addEventListener("abort", wake, { once: true });
      arm();
      function wake() {
        takers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      }
    });
    if (takers.size === 0) disarm(); // Q3
  }

  /** Wakes a taker when the earliest delayed key is due. */
  function arm(): void {
    const due = delayed.earliest();
    if (takers.size === 0 || due === undefined) return;
    if (timer !== undefined && timer.due <= due) return;
    disarm();
    const abort = new AbortController();
    timer = { due, abort };
    void clock.sleep(due - clock.now(), abort.signal).then(() => {
      if (abort.signal.aborted) return;
      timer = undefined;
      promote(); // wakes a taker for each key
      arm();
    });
  }

  function disarm(): void {
    timer?.abort.abort();
    timer = undefined;
  }

  /** How long the overall limit makes the next retry wait. */
  function reserveMs(): number {
    const now = clock.now();
    tokens = Math.min(OVERALL.burst, tokens + ((now - tokensAt) / 1000) * OVERALL.perSecond) - 1;
    tokensAt = now;
    return tokens >= 0 ? 0 : (-tokens / OVERALL.perSecond) * 1000;
  }
}
