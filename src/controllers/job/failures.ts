import type { Instant } from "#base/clock.ts";
import { backoffDelayMs } from "#base/backoff.ts";
import type { Job, PodFailurePolicyRule } from "#machinery/api/batch-v1.ts";
import type { ContainerStatus, Pod } from "#machinery/api/core-v1.ts";
import { podCondition } from "../pods.ts";

const BACKOFF = { baseMs: 10_000, maxMs: 10 * 60_000 };
export const INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count";
export const INDEX_IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count";

/** A pod that is going away is replaced at once, unless only ended pods are. */
export function replacesOnlyFailed({ spec }: Job): boolean {
  return spec.podReplacementPolicy === "Failed";
}

/** Whether the pod counts as failed: one that is being deleted may never get to say so itself. */
export function hasFailed(pod: Pod, job: Job): boolean {
  if (pod.status?.phase === "Failed") return true;
  return !replacesOnlyFailed(job) && pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== "Succeeded";
}

export interface Verdict {
  readonly action: PodFailurePolicyRule["action"];
  /** Why the Job fails; only with FailJob. */
  readonly message: string;
}

/** The first rule of the failure policy that fits; undefined: none does, the failure counts. */
export function verdictOf(job: Job, pod: Pod): Verdict | undefined {
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
  for (const [i, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    const { action, onExitCodes, onPodConditions } = rule;
    if (onExitCodes !== undefined) {
      const { containerName, operator, values } = onExitCodes;
      for (const { name: container, state } of statuses(pod)) {
        const code = state?.terminated?.exitCode ?? 0;
        if (code === 0 || (containerName !== undefined && containerName !== container)) continue;
        if (values.includes(code) !== (operator === "In")) continue;
        return {
          action,
          message: `Container ${container} for pod ${name} failed with exit code ${code} matching ${action} rule at index ${i}`,
        };
      }
    } else {
      const match = onPodConditions?.find(({ type, status = "True" }) => podCondition(pod, type)?.status === status);
      if (match !== undefined) return { action, message: `Pod ${name} has condition ${match.type} matching ${action} rule at index ${i}` };
    }
  }
  return undefined;
}

function statuses({ status }: Pod): readonly ContainerStatus[] {
  return [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
}

/** When a pod ended, as far as its status tells. */
export function endOf(pod: Pod): Instant {
  const ends = statuses(pod).map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ""));
  const known = ends.filter((end) => !Number.isNaN(end));
  if (known.length > 0) return Math.max(...known);
  const ready = podCondition(pod, "Ready");
  for (const text of [
    ready?.status === "False" ? ready.lastTransitionTime : undefined,
    pod.metadata.deletionTimestamp,
    pod.metadata.creationTimestamp,
  ]) {
    const at = Date.parse(text ?? "");
    if (!Number.isNaN(at)) return at;
  }
  return 0;
}

/** How long new pods have to wait: 10 s after the first failure since the last success, doubled with each, at most 10 min. */
export function backoffMs(failed: readonly Pod[], succeeded: readonly Pod[], now: Instant): number {
  const lastSuccess = Math.max(0, ...succeeded.map(endOf));
  const ends = failed.map(endOf).filter((end) => end > lastSuccess);
  if (ends.length === 0) return 0;
  return Math.max(0, Math.max(...ends) + backoffDelayMs(BACKOFF, ends.length - 1) - now);
}

export interface IndexFailures {
  /** Failures that count against the limit of the index. */
  readonly counted: number;
  readonly ignored: number;
  /** Its latest failed pod, which carries the count to the next one. */
  readonly last: Pod | undefined;
}

const number = (text: string | undefined): number => (text !== undefined && /^\d+$/.test(text) ? Number(text) : 0);

/** Failures of one index, from the annotations of its failed pods. */
export function failuresOfIndex(job: Job, failed: readonly Pod[]): IndexFailures {
  let worst: IndexFailures = { counted: 0, ignored: 0, last: undefined };
  for (const pod of failed) {
    const ignore = verdictOf(job, pod)?.action === "Ignore";
    const counted = number(pod.metadata.annotations?.[INDEX_FAILURES]) + (ignore ? 0 : 1);
    const ignored = number(pod.metadata.annotations?.[INDEX_IGNORED]) + (ignore ? 1 : 0);
    if (counted + ignored > worst.counted + worst.ignored) worst = { counted, ignored, last: pod };
  }
  return worst;
}

export function indexBackoffMs({ counted, last }: IndexFailures, now: Instant): number {
  return last === undefined || counted === 0 ? 0 : Math.max(0, endOf(last) + backoffDelayMs(BACKOFF, counted - 1) - now);
}
