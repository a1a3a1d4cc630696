import type { Instant } from "#base/clock.ts";
import { JobKind } from "#kinds/batch/job.ts";
import type { Job } from "#machinery/api/batch-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import { NOTHING_TO_DO, type Plan } from "../action.ts";

export interface ObservedFinishedJob {
  readonly job: Stored<Job>;
  readonly now: Instant;
}

/** Deletes a Job, and first its pods, when its time after the end is over. */
export function planTtlAfterFinished({ job, now }: ObservedFinishedJob): Plan {
  const { ttlSecondsAfterFinished } = job.spec;
  if (ttlSecondsAfterFinished === undefined || job.metadata.deletionTimestamp !== undefined) return NOTHING_TO_DO;
  const end = job.status?.conditions?.find(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
  const at = Date.parse(end?.lastTransitionTime ?? "");
  if (Number.isNaN(at)) return NOTHING_TO_DO;
  const left = at + ttlSecondsAfterFinished * 1000 - now;
  if (left > 0) return { actions: [], recheckAfterMs: Math.min(left, LONGEST_WAIT_MS) };
  return {
    actions: [
      {
        do: "delete",
        kind: JobKind,
        object: refOf(job),
        options: { propagationPolicy: "Foreground", resourceVersion: job.metadata.resourceVersion },
        because: "its time to live after its end is over",
      },
    ],
  };
}

/** Timers do not reach a month ahead. */
const LONGEST_WAIT_MS = 6 * 3_600_000;
