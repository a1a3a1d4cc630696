import type { Instant } from "#base/clock.ts";

/** How long a container that keeps ending must wait, kept from one restart to the next. */
export interface RestartBackOff {
  readonly delayMs: number;
  readonly since: Instant;
}

export const INITIAL_BACK_OFF_MS = 10_000;
export const MAX_BACK_OFF_MS = 300_000;
/** A container that ran this long since its last restart starts over. */
export const BACK_OFF_RESET_MS = 2 * MAX_BACK_OFF_MS;

/** When a container that ended at `finishedAt` may start again; a time that has passed means now. */
export function restartAllowedAt(entry: RestartBackOff | undefined, finishedAt: Instant): Instant {
  if (entry === undefined || finishedAt - entry.since > BACK_OFF_RESET_MS) return finishedAt;
  return finishedAt + entry.delayMs;
}

/** The back-off after one more restart at `now`: 10 s, doubled up to 5 min; anew after ten quiet minutes. */
export function nextBackOff(entry: RestartBackOff | undefined, finishedAt: Instant, now: Instant): RestartBackOff {
  if (entry === undefined || finishedAt - entry.since > BACK_OFF_RESET_MS) return { delayMs: INITIAL_BACK_OFF_MS, since: now };
  return { delayMs: Math.min(entry.delayMs * 2, MAX_BACK_OFF_MS), since: now };
}
