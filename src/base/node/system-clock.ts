import type { Clock } from "../clock.ts";

/** The machine's clock. Long sleeps are split, as Node's timers hold at most 2^31 - 1 ms. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    const due = Date.now() + ms;
    while (!signal.aborted) {
      const rest = due - Date.now();
      if (rest <= 0 && ms > 0) return;
      await sleepOnce(Math.min(Math.max(rest, 0), 2 ** 31 - 1), signal);
      if (ms <= 0) return;
    }
  },
};

function sleepOnce(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(finish, ms);
    signal.addEventListener("abort", finish, { once: true });
    function finish() {
      clearTimeout(timer);
      signal.removeEventListener("abort", finish);
      resolve();
    }
  });
}
