import type { Job, SuccessPolicy } from "#machinery/api/batch-v1.ts";
import { verdictOf } from "./failures.ts";
import { parseIndexes } from "./indexes.ts";
import type { Indexes, JobWorld } from "./plan.ts";

/** Why a Job is to end: first as an interim condition, then, when its pods are gone and counted, for good. */
export interface Ending {
  readonly interim: "FailureTarget" | "SuccessCriteriaMet";
  readonly reason: string;
  readonly message: string;
}

const failure = (reason: string, message: string): Ending => ({ interim: "FailureTarget", reason, message });
const success = (reason: string, message: string): Ending => ({ interim: "SuccessCriteriaMet", reason, message });

export function endingOf(world: JobWorld): Ending | undefined {
  const { job, failedPods, indexes } = world;
  const decided = decidedBefore(job);
  if (decided !== undefined) return decided;
  for (const pod of failedPods) {
    const verdict = verdictOf(job, pod);
    if (verdict?.action === "FailJob") return failure("PodFailurePolicy", verdict.message);
  }
  if (world.failed > (job.spec.backoffLimit ?? 6) || restartsTooOften(world)) {
    return failure("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  }
  const { activeDeadlineSeconds, suspend, successPolicy } = job.spec;
  if (activeDeadlineSeconds !== undefined && suspend !== true && lasting(world) >= activeDeadlineSeconds * 1000) {
    return failure("DeadlineExceeded", "Job was active longer than specified deadline");
  }
  if (indexes !== undefined) {
    const failed = failedIndexes(job, indexes);
    if (failed !== undefined) return failed;
    const rule = successPolicy === undefined ? undefined : matchingRule(successPolicy, indexes);
    if (rule !== undefined) return success("SuccessPolicy", `Matched rules at index ${rule}`);
  }
  const { completions } = job.spec;
  const enough = completions === undefined ? world.succeeded > 0 : world.succeeded >= completions;
  if (enough && world.active.length === 0) return success("CompletionsReached", "Reached expected number of succeeded pods");
  return undefined;
}

function decidedBefore({ status }: Job): Ending | undefined {
  for (const { type, status: is, reason = "", message = "" } of status?.conditions ?? []) {
    if (is === "True" && (type === "FailureTarget" || type === "SuccessCriteriaMet")) return { interim: type, reason, message };
  }
  return undefined;
}

/** Milliseconds since it started; a suspended Job starts anew. */
export function lasting({ job, now }: JobWorld): number {
  if ((job.status?.conditions ?? []).some(({ type, status }) => type === "Suspended" && status === "True")) return 0;
  const start = Date.parse(job.status?.startTime ?? "");
  return Number.isNaN(start) ? 0 : now - start;
}

/** Containers that restart in place count like failed pods. */
function restartsTooOften({ job, pods }: JobWorld): boolean {
  if (job.spec.template.spec?.restartPolicy !== "OnFailure") return false;
  let restarts = 0;
  for (const { status } of pods) {
    if (status?.phase !== "Running" && status?.phase !== "Pending") continue;
    for (const { restartCount } of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) restarts += restartCount;
  }
  const limit = job.spec.backoffLimit ?? 6;
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

function failedIndexes({ spec }: Job, { completions, succeeded, failed }: Indexes): Ending | undefined {
  if (failed === undefined) return undefined;
  if (spec.maxFailedIndexes !== undefined && failed.size > spec.maxFailedIndexes) {
    return failure("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
  }
  if (failed.size > 0 && failed.size + succeeded.size >= completions) return failure("FailedIndexes", "Job has failed indexes");
  return undefined;
}

function matchingRule({ rules }: SuccessPolicy, { completions, succeeded }: Indexes): number | undefined {
  const at = rules.findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined) return succeeded.size >= (succeededCount ?? Number.POSITIVE_INFINITY);
    const wanted = parseIndexes(succeededIndexes, completions);
    const matched = [...wanted].filter((index) => succeeded.has(index)).length;
    return matched >= (succeededCount ?? wanted.size);
  });
  return at === -1 ? undefined : at;
}
