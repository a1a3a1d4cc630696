/** Exponential delay: `baseMs`, doubled (`factor`) per attempt, at most `maxMs`. */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
  /** @default 2 */
  readonly factor?: number;
}

/** The delay before attempt `attempt` (0 is the first retry). */
export function backoffDelayMs({ baseMs, maxMs, factor = 2 }: Backoff, attempt: number): number {
  return Math.min(maxMs, baseMs * factor ** Math.min(attempt, 60));
}
