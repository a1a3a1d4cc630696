import { invariant } from "./invariant.ts";

/** Milliseconds since the Unix epoch. */
export type Instant = number;

/**
 * The only source of time. `sleep` and `every` never keep a process alive longer than `signal` allows: an abort resolves
 * the sleep at once, without an error (cancellation is not an error; callers look at the signal).
 */
export interface Clock {
  now(): Instant;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** RFC 3339 with seconds, as metav1.Time prints: `2030-01-01T00:00:00Z`. */
export function formatTime(at: Instant): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** RFC 3339 with six fraction digits, as metav1.MicroTime prints. */
export function formatMicroTime(at: Instant): string {
  return `${new Date(at).toISOString().slice(0, 23)}000Z`;
}

/** A clock that moves only when told to. Sleepers wake in order of their due time; microtasks run between wake-ups. */
export interface FakeClock extends Clock {
  advance(ms: number): Promise<void>;
  /** How many sleepers wait. */
  sleeping(): number;
}

export function createFakeClock(start: string | Instant = "2030-01-01T00:00:00Z"): FakeClock {
  let now: Instant = typeof start === "number" ? start : Date.parse(start);
  invariant(Number.isFinite(now), "fake clock start must be a time");
  const sleepers = new Set<{ due: Instant; wake: () => void }>();

  return {
    now: () => now,
    sleeping: () => sleepers.size,
    sleep(ms, signal) {
      if (signal.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const sleeper = { due: now + Math.max(0, ms), wake };
        sleepers.add(sleeper);
        signal.addEventListener("abort", wake, { once: true });
        function wake() {
          sleepers.delete(sleeper);
          signal.removeEventListener("abort", wake);
          resolve();
        }
      });
    },
    async advance(ms) {
      const until = now + ms;
      await settle();
      for (;;) {
        let next: { due: Instant; wake: () => void } | undefined;
        for (const sleeper of sleepers) if (sleeper.due <= until && (next === undefined || sleeper.due < next.due)) next = sleeper;
        if (next === undefined) break;
        now = Math.max(now, next.due);
        next.wake();
        await settle();
      }
      now = until;
    },
  };

  /** Lets everything that is ready run: promise chains and immediates, but no timers. */
  async function settle() {
    for (let i = 0; i < 10; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
