import { PodKind } from "#kinds/core/pod.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import type { Action, Announcement } from "../action.ts";
import { byDeletionPreference } from "../pods.ts";
import type { Ending } from "./ending.ts";
import { backoffMs, indexBackoffMs, replacesOnlyFailed, verdictOf } from "./failures.ts";
import { indexOf } from "./indexes.ts";
import { indexedPod, jobPod, TRACKING_FINALIZER } from "./new-pods.ts";
import type { JobWorld } from "./plan.ts";

/** Pods made or deleted in one go. */
const BURST = 500;

export interface Managed {
  readonly actions: readonly Action[];
  readonly waitMs?: number;
}

/** Brings the number of active pods to what the Job wants now. */
export function managePods(world: JobWorld, ending: Ending | undefined): Managed {
  const { job, active, terminating, indexes, now } = world;
  if (job.metadata.deletionTimestamp !== undefined) return { actions: [] };
  if (ending !== undefined) return { actions: active.slice(0, BURST).map((pod) => remove(world, pod, "its Job ends")) };
  if (job.spec.suspend === true) return { actions: active.slice(0, BURST).flatMap((pod) => giveUp(world, pod, "its Job is suspended")) };
  const wanted = wantedActive(world);
  const surplus = surplusOf(world, active.length - wanted);
  if (surplus.length > 0) return { actions: surplus.slice(0, BURST).flatMap((pod) => giveUp(world, pod, "one too many")) };
  const missing = wanted - active.length - (replacesOnlyFailed(job) ? terminating.length : 0);
  if (missing <= 0) return { actions: [] };
  if (indexes?.failed !== undefined) return createWithLimitPerIndex(world, missing);
  const counted = world.failedPods.filter((pod) => verdictOf(job, pod)?.action !== "Ignore");
  const waitMs = backoffMs(counted, world.succeededPods, now);
  if (waitMs > 0) return { actions: [], waitMs };
  const number = Math.min(missing, BURST);
  if (indexes === undefined) return { actions: Array.from({ length: number }, () => create(world, jobPod(job))) };
  return {
    actions: pendingIndexes(world)
      .slice(0, number)
      .map((index) => create(world, indexedPod(job, index, indexes.failuresOf(index)))),
  };
}

/** Every index waits for itself. */
function createWithLimitPerIndex(world: JobWorld, missing: number): Managed {
  const { job, indexes, now } = world;
  if (indexes === undefined) return { actions: [] };
  const actions: Action[] = [];
  let soonest: number | undefined;
  for (const index of pendingIndexes(world)) {
    if (actions.length >= Math.min(missing, BURST)) break;
    const failures = indexes.failuresOf(index);
    const waitMs = indexBackoffMs(failures, now);
    if (waitMs === 0) actions.push(create(world, indexedPod(job, index, failures)));
    else soonest = Math.min(soonest ?? waitMs, waitMs);
  }
  return { actions, ...(soonest === undefined ? {} : { waitMs: soonest }) };
}

function wantedActive({ job, active, succeeded, indexes }: JobWorld): number {
  const { completions, parallelism = 1 } = job.spec;
  if (completions === undefined) return succeeded > 0 ? active.length : parallelism;
  return Math.max(0, Math.min(completions - succeeded - (indexes?.failed?.size ?? 0), parallelism));
}

function pendingIndexes({ job, active, terminating, indexes }: JobWorld): readonly number[] {
  if (indexes === undefined) return [];
  const { completions, succeeded, failed } = indexes;
  const present = replacesOnlyFailed(job) ? [...active, ...terminating] : active;
  const busy = new Set(present.map((pod) => indexOf(pod, completions)));
  return Array.from({ length: completions }, (_, index) => index).filter(
    (index) => !busy.has(index) && !succeeded.has(index) && failed?.has(index) !== true,
  );
}

/** Pods whose index is taken or out of range, and as many of the others as are too many. */
function surplusOf({ active, indexes, now }: JobWorld, tooMany: number): readonly Stored<Pod>[] {
  const ordered = active.toSorted(byDeletionPreference({ now, doubledUp: () => 0 }));
  if (indexes === undefined) return ordered.slice(0, Math.max(0, tooMany));
  const kept = new Map<number, Stored<Pod>>();
  for (const pod of ordered) {
    const index = indexOf(pod, indexes.completions);
    if (index !== undefined && !indexes.succeeded.has(index) && indexes.failed?.has(index) !== true) kept.set(index, pod); // the last is the best
  }
  const stay = new Set(kept.values());
  const useless = ordered.filter((pod) => !stay.has(pod));
  return [...useless, ...ordered.filter((pod) => stay.has(pod)).slice(0, Math.max(0, tooMany - useless.length))];
}

function create({ job }: JobWorld, object: Pod): Action {
  const announce: Announcement = { about: job, done: "SuccessfulCreate", failed: "FailedCreate", noun: "pod" };
  return { do: "create", kind: PodKind, object, announce };
}

function remove({ job }: JobWorld, pod: Stored<Pod>, because: string): Action {
  const announce: Announcement = { about: job, done: "SuccessfulDelete", failed: "FailedDelete", noun: "pod" };
  return { do: "delete", kind: PodKind, object: refOf(pod), because, announce };
}

/** Deletes a pod that is to count neither as failed nor as succeeded. */
function giveUp(world: JobWorld, pod: Stored<Pod>, because: string): readonly Action[] {
  const rest = (pod.metadata.finalizers ?? []).filter((finalizer) => finalizer !== TRACKING_FINALIZER);
  const metadata = { uid: pod.metadata.uid, resourceVersion: pod.metadata.resourceVersion, finalizers: rest.length === 0 ? null : rest };
  const untrack: Action = { do: "patch", kind: PodKind, object: refOf(pod), patch: { type: "merge", body: { metadata } }, because };
  return [untrack, remove(world, pod, because)];
}
