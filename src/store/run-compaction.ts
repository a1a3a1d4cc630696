import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Revision, Store } from "./contract.ts";

export interface CompactionDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
}

export interface CompactionOptions {
  /** Time between two compactions, and how long history is kept at least. @default 300_000, as upstream */
  readonly everyMs?: number;
}

/** Compacts the store again and again to where it was one interval before, until `signal` aborts. A failure is logged and tried again next time. */
export async function runCompaction(
  { store, clock, log }: CompactionDeps,
  signal: AbortSignal,
  options: CompactionOptions = {},
): Promise<void> {
  const { everyMs = 300_000 } = options;
  let before: Revision | undefined;
  for (;;) {
    await clock.sleep(everyMs, signal);
    if (signal.aborted) return;
    try {
      const revision = await store.revision();
      if (before !== undefined) await store.compact(before);
      log.debug("Store compacted", { revision: before });
      before = revision;
    } catch (cause) {
      if (signal.aborted) return;
      log.warn("Store cannot be compacted, trying again later", { cause });
    }
  }
}
