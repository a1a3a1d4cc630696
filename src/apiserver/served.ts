import type { Clock } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import type { Store } from "#store/contract.ts";
import type { Admission } from "./admission/admission.ts";
import type { Resources } from "./resource.ts";
import type { StorageHooks } from "./storage-hooks.ts";

/** What every verb works with. */
export interface Served {
  readonly store: Store;
  readonly resources: Resources;
  readonly admission: Admission;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Extra steps around the writes of one kind, by `group/Kind`. */
  readonly hooks: ReadonlyMap<string, StorageHooks>;
}
