import { formatTime, type Instant } from "#base/clock.ts";
import type { EventNote } from "#client/contract.ts";
import { JobKind } from "#kinds/batch/job.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Job, JobCondition, JobStatus } from "#machinery/api/batch-v1.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import { deepEqual } from "#machinery/deep-equal.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import { labelSelectorFrom } from "#machinery/selector.ts";
import { type Action, type Plan, updateStatus } from "../action.ts";
import { claim } from "../owners.ts";
import { isActive, isFinished, isReady } from "../pods.ts";
import { endingOf, lasting, type Ending } from "./ending.ts";
import { failuresOfIndex, hasFailed, type IndexFailures, verdictOf } from "./failures.ts";
import { formatIndexes, indexOf, parseIndexes } from "./indexes.ts";
import { TRACKING_FINALIZER } from "./new-pods.ts";
import { managePods } from "./parallelism.ts";

export interface ObservedJob {
  /** undefined: it is gone, and left pods behind that must not wait for it. */
  readonly job: Stored<Job> | undefined;
  /** Pods it controls and pods of its namespace without controller. */
  readonly pods: readonly Stored<Pod>[];
  /** Pods of a Job of this name that is gone. */
  readonly strays: readonly Stored<Pod>[];
  readonly now: Instant;
}

/** A Job and its pods, sorted and counted once. */
export interface JobWorld {
  readonly job: Stored<Job>;
  readonly pods: readonly Stored<Pod>[];
  readonly active: readonly Stored<Pod>[];
  /** Going away and not ended yet. */
  readonly terminating: readonly Stored<Pod>[];
  readonly failedPods: readonly Stored<Pod>[];
  readonly succeededPods: readonly Stored<Pod>[];
  /** Counted, about to be counted, and ended without being noted yet. */
  readonly succeeded: number;
  readonly failed: number;
  /** undefined: not Indexed. */
  readonly indexes: Indexes | undefined;
  readonly now: Instant;
}

export interface Indexes {
  readonly completions: number;
  readonly succeeded: ReadonlySet<number>;
  /** undefined without a limit per index. */
  readonly failed: ReadonlySet<number> | undefined;
  readonly failuresOf: (index: number) => IndexFailures;
}

/** Uids noted in one write of the status. */
const MAX_UNCOUNTED = 500;

export function planJob({ job, pods, strays, now }: ObservedJob): Plan {
  const released = strays.filter(isTracked).map((pod) => release(pod, "its Job is gone"));
  if (job === undefined) return { actions: released };
  if (isOver(job))
    return {
      actions: [...released, ...pods.filter((pod) => isOwn(job, pod) && isTracked(pod)).map((pod) => release(pod, "its Job is over"))],
    };
  const { claimed, actions: claims } = claim(job, JobKind, labelSelectorFrom(job.spec.selector), PodKind, pods);
  const world = worldOf(job, claimed, now);
  const ending = endingOf(world);
  const managed = managePods(world, ending);
  const counted = count(world, ending);
  const { status, event } = nextStatus(world, ending, counted);
  const waits = [managed.waitMs, deadlineMs(world)].filter((ms) => ms !== undefined);
  return {
    actions: [
      ...released,
      ...claims,
      ...counted.released,
      ...managed.actions,
      ...(deepEqual(status, job.status)
        ? []
        : [{ ...updateStatus(JobKind, { ...job, status } as Stored<Job>), ...(event === undefined ? {} : { tell: event }) } as Action]),
    ],
    recheckAfterMs: waits.length === 0 ? undefined : Math.max(1, Math.min(...waits)),
  };
}

const isOwn = (job: Stored<Job>, { metadata }: Pod): boolean =>
  (metadata.ownerReferences ?? []).some(({ uid }) => uid === job.metadata.uid);
const isTracked = ({ metadata }: Pod): boolean => (metadata.finalizers ?? []).includes(TRACKING_FINALIZER);

export function isOver({ status }: Job): boolean {
  return (status?.conditions ?? []).some(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
}

function worldOf(job: Stored<Job>, pods: readonly Stored<Pod>[], now: Instant): JobWorld {
  const noted = new Set([
    ...(job.status?.uncountedTerminatedPods?.succeeded ?? []),
    ...(job.status?.uncountedTerminatedPods?.failed ?? []),
  ]);
  const isNew = (pod: Stored<Pod>) => isTracked(pod) && !noted.has(pod.metadata.uid);
  const failedPods = pods.filter((pod) => hasFailed(pod, job));
  const succeededPods = pods.filter(({ status }) => status?.phase === "Succeeded");
  const indexes = job.spec.completionMode === "Indexed" ? indexesOf(job, failedPods, succeededPods) : undefined;
  const { succeeded = 0, failed = 0, uncountedTerminatedPods } = job.status ?? {};
  return {
    job,
    pods,
    active: pods.filter(isActive),
    terminating: pods.filter((pod) => pod.metadata.deletionTimestamp !== undefined && !isFinished(pod)),
    failedPods,
    succeededPods,
    succeeded:
      indexes?.succeeded.size ?? succeeded + (uncountedTerminatedPods?.succeeded?.length ?? 0) + succeededPods.filter(isNew).length,
    failed:
      failed +
      (uncountedTerminatedPods?.failed?.length ?? 0) +
      failedPods.filter((pod) => isNew(pod) && verdictOf(job, pod)?.action !== "Ignore").length,
    indexes,
    now,
  };
}

function indexesOf(job: Stored<Job>, failedPods: readonly Stored<Pod>[], succeededPods: readonly Stored<Pod>[]): Indexes {
  const completions = job.spec.completions ?? 0;
  const succeeded = new Set(parseIndexes(job.status?.completedIndexes, completions));
  for (const pod of succeededPods) {
    const index = indexOf(pod, completions);
    if (index !== undefined && isTracked(pod)) succeeded.add(index);
  }
  const byIndex = new Map<number, Stored<Pod>[]>();
  for (const pod of failedPods) {
    const index = indexOf(pod, completions);
    if (index !== undefined) byIndex.set(index, [...(byIndex.get(index) ?? []), pod]);
  }
  const failuresOf = (index: number) => failuresOfIndex(job, byIndex.get(index) ?? []);
  const limit = job.spec.backoffLimitPerIndex;
  if (limit === undefined) return { completions, succeeded, failed: undefined, failuresOf };
  const failed = new Set(parseIndexes(job.status?.failedIndexes, completions));
  for (const [index, own] of byIndex) {
    const given = own.some((pod) => verdictOf(job, pod)?.action === "FailIndex");
    if (!succeeded.has(index) && (given || failuresOf(index).counted > limit)) failed.add(index);
  }
  return { completions, succeeded, failed, failuresOf };
}

interface Counted {
  readonly succeeded: number;
  readonly failed: number;
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  /** Finalizers that may go because the status shows that the pod is counted. */
  readonly released: readonly Action[];
  /** Pods that still wait for being counted. */
  readonly open: boolean;
}

/**
 * Counts every pod once, also over a crash: first its uid is noted in the status, then its finalizer goes, then the number grows
 * and the uid is dropped, each after the caches show the step before.
 */
function count({ job, pods, indexes, active }: JobWorld, ending: Ending | undefined): Counted {
  const { succeeded = 0, failed = 0, uncountedTerminatedPods } = job.status ?? {};
  const noted = { succeeded: uncountedTerminatedPods?.succeeded ?? [], failed: uncountedTerminatedPods?.failed ?? [] };
  const tracked = new Map(pods.filter(isTracked).map((pod) => [pod.metadata.uid, pod]));
  const still = { succeeded: noted.succeeded.filter((uid) => tracked.has(uid)), failed: noted.failed.filter((uid) => tracked.has(uid)) };
  const released = [...still.succeeded, ...still.failed].flatMap((uid) => {
    const pod = tracked.get(uid);
    return pod === undefined ? [] : [release(pod, "it is counted")];
  });
  const known = new Set([...still.succeeded, ...still.failed]);
  const next = { succeeded: [...still.succeeded], failed: [...still.failed] };
  const shown = parseIndexes(job.status?.completedIndexes, indexes?.completions ?? 0);
  const busy = new Set(active.map((pod) => indexOf(pod, indexes?.completions ?? 0)));
  let open = known.size > 0;
  for (const pod of tracked.values()) {
    const { uid } = pod.metadata;
    if (known.has(uid)) continue;
    if (pod.status?.phase === "Succeeded") {
      open = true;
      const index = indexes === undefined ? undefined : indexOf(pod, indexes.completions);
      if (indexes === undefined) next.succeeded.push(uid);
      else if (index === undefined || shown.has(index)) released.push(release(pod, "it is counted"));
      continue;
    }
    const lost = hasFailed(pod, job) || (ending !== undefined && ending.interim === "FailureTarget");
    if (!lost || (pod.status?.phase !== "Failed" && pod.metadata.deletionTimestamp === undefined)) continue;
    if (ending === undefined && job.metadata.deletionTimestamp === undefined && carriesCount(pod, indexes, busy)) continue;
    open = true;
    const spared = ending?.interim === "SuccessCriteriaMet" && pod.status?.phase !== "Failed"; // it only made room
    const foreign = indexes !== undefined && indexOf(pod, indexes.completions) === undefined;
    if (spared || foreign || verdictOf(job, pod)?.action === "Ignore") released.push(release(pod, "it does not count"));
    else next.failed.push(uid);
  }
  return {
    succeeded: indexes === undefined ? succeeded + noted.succeeded.length - still.succeeded.length : indexes.succeeded.size,
    failed: failed + noted.failed.length - still.failed.length,
    uncounted: { succeeded: next.succeeded.slice(0, MAX_UNCOUNTED), failed: next.failed.slice(0, MAX_UNCOUNTED) },
    released,
    open,
  };
}

/** With a limit per index the last failed pod stays until its successor carries the count on. */
function carriesCount(pod: Stored<Pod>, indexes: Indexes | undefined, busy: ReadonlySet<number | undefined>): boolean {
  if (indexes?.failed === undefined) return false;
  const index = indexOf(pod, indexes.completions);
  if (index === undefined || busy.has(index) || indexes.succeeded.has(index) || indexes.failed.has(index)) return false;
  return indexes.failuresOf(index).last === pod;
}

function release(pod: Stored<Pod>, because: string): Action {
  const { uid, resourceVersion } = pod.metadata;
  const rest = (pod.metadata.finalizers ?? []).filter((finalizer) => finalizer !== TRACKING_FINALIZER);
  const metadata = { uid, resourceVersion, finalizers: rest.length === 0 ? null : rest };
  return { do: "patch", kind: PodKind, object: refOf(pod), patch: { type: "merge", body: { metadata } }, because };
}

function nextStatus(
  world: JobWorld,
  ending: Ending | undefined,
  counted: Counted,
): { readonly status: JobStatus; readonly event: EventNote | undefined } {
  const { job, active, terminating, indexes, now } = world;
  const before = job.status ?? {};
  let event: EventNote | undefined;
  const tell = (type: "Normal" | "Warning", reason: string, message: string) => {
    event = { about: job, type, reason, message };
  };
  const time = formatTime(now);
  const conditions: JobCondition[] = [...(before.conditions ?? [])];
  const set = (type: string, status: "True" | "False", reason: string, message: string) => {
    const condition: JobCondition = { type, status, lastProbeTime: time, lastTransitionTime: time, reason, message };
    const at = conditions.findIndex((present) => present.type === type);
    if (at === -1) conditions.push(condition);
    else conditions[at] = condition;
  };
  const suspended = conditions.find(({ type }) => type === "Suspended")?.status === "True";
  let { startTime, completionTime } = before;
  if (startTime === undefined && job.spec.suspend !== true) startTime = time;
  if (ending !== undefined) {
    const noted = conditions.some(({ type, status }) => type === ending.interim && status === "True");
    const settled =
      !counted.open &&
      active.length === 0 &&
      terminating.length === 0 &&
      counted.uncounted.failed.length + counted.uncounted.succeeded.length === 0;
    if (!noted) set(ending.interim, "True", ending.reason, ending.message);
    else if (settled && ending.interim === "SuccessCriteriaMet") {
      set("Complete", "True", ending.reason, ending.message);
      completionTime = time;
      tell("Normal", "Completed", "Job completed");
    } else if (settled) {
      set("Failed", "True", ending.reason, ending.message);
      tell("Warning", ending.reason, ending.message);
    }
  } else if (job.spec.suspend === true && !suspended) {
    set("Suspended", "True", "JobSuspended", "Job suspended");
    tell("Normal", "Suspended", "Job suspended");
  } else if (job.spec.suspend !== true && suspended) {
    set("Suspended", "False", "JobResumed", "Job resumed");
    startTime = time;
    tell("Normal", "Resumed", "Job resumed");
  }
  const { uncounted } = counted;
  const numbers = { active: active.length, succeeded: counted.succeeded, failed: counted.failed };
  const completedIndexes = indexes === undefined ? "" : formatIndexes(indexes.succeeded);
  const status: JobStatus = {
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(startTime === undefined ? {} : { startTime }),
    ...(completionTime === undefined ? {} : { completionTime }),
    ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== 0)),
    terminating: terminating.length,
    ...(completedIndexes === "" ? {} : { completedIndexes }),
    ...(indexes?.failed === undefined ? {} : { failedIndexes: formatIndexes(indexes.failed) }),
    uncountedTerminatedPods: {
      ...(uncounted.succeeded.length === 0 ? {} : { succeeded: uncounted.succeeded }),
      ...(uncounted.failed.length === 0 ? {} : { failed: uncounted.failed }),
    },
    ready: active.filter(isReady).length,
  };
  return { status, event };
}

/** Until `activeDeadlineSeconds` is over. */
function deadlineMs(world: JobWorld): number | undefined {
  const { activeDeadlineSeconds, suspend } = world.job.spec;
  if (activeDeadlineSeconds === undefined || suspend === true) return undefined;
  const left = activeDeadlineSeconds * 1000 - lasting(world);
  return left > 0 ? left : undefined;
}
