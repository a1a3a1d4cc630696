import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Served } from "../served.ts";
import { type Advertised, ensureKubernetesService } from "./kubernetes-service.ts";
import { ensureNamespaces } from "./namespaces.ts";

/** As upstream's controller of the `kubernetes` Service. */
const EVERY_MS = 10_000;

export interface MaintainDeps {
  readonly served: Served;
  readonly clock: Clock;
  readonly log: Log;
}

/** Brings back what the cluster cannot be without when somebody has deleted it: the system namespaces and the `kubernetes` Service. */
export async function maintainServerObjects(
  { served, clock, log }: MaintainDeps,
  advertised: Advertised,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await clock.sleep(EVERY_MS, signal);
    if (signal.aborted) return;
    try {
      await ensureNamespaces(served, signal);
      await ensureKubernetesService(served, advertised, signal);
    } catch (cause) {
      if (signal.aborted) return;
      log.warn("Objects of the server could not be kept, trying again", { cause });
    }
  }
}
