import type { Instant } from "#base/clock.ts";
import { ControllerRevisionKind } from "#kinds/apps/controller-revision.ts";
import { StatefulSetKind } from "#kinds/apps/stateful-set.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { ControllerRevision, StatefulSet, StatefulSetStatus } from "#machinery/api/apps-v1.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import { deepEqual } from "#machinery/deep-equal.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import { labelSelectorFrom } from "#machinery/selector.ts";
import { type Action, type Announcement, type Plan, updateStatus } from "../action.ts";
import { presentRevision, REVISION_HASH_LABEL, templateOf, truncateHistory } from "../controllerrevisions/revisions.ts";
import { claim } from "../owners.ts";
import { isFinished, isReady, untilAvailableMs } from "../pods.ts";
import { type ClaimNamed, claimOwners, hasStaleClaim, missingClaims } from "./claims.ts";
import { identityLabels, ordinalOf, podNameOf, revisionNameOf, sizeOf, startOf, statefulPod } from "./identity.ts";

export interface ObservedStatefulSet {
  readonly set: Stored<StatefulSet>;
  /** Pods it controls and pods of its namespace without controller. */
  readonly pods: readonly Stored<Pod>[];
  /** Revisions it controls and those of its namespace without controller. */
  readonly revisions: readonly Stored<ControllerRevision>[];
  readonly nameTaken: (revision: string) => boolean;
  readonly claimNamed: ClaimNamed;
  readonly now: Instant;
}

export function planStatefulSet(observed: ObservedStatefulSet): Plan {
  const { set, now } = observed;
  const selector = labelSelectorFrom(set.spec.selector);
  const { claimed: revisions, actions: adoptions } = claim(set, StatefulSetKind, selector, ControllerRevisionKind, observed.revisions);
  if (adoptions.length > 0) return { actions: adoptions };
  const { current: update, actions, collision } = presentRevision(set, StatefulSetKind, REVISION_HASH_LABEL, revisions, observed.nameTaken);
  if (collision) {
    const status = { ...set.status, replicas: set.status?.replicas ?? 0, collisionCount: (set.status?.collisionCount ?? 0) + 1 };
    return { actions: [updateStatus(StatefulSetKind, { ...set, status } as Stored<StatefulSet>)] };
  }
  if (update === undefined || actions.length > 0) return { actions };
  const current = revisions.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? update;
  const members = observed.pods.filter((pod) => ordinalOf(set, pod) !== undefined);
  const { claimed: pods, actions: claims } = claim(set, StatefulSetKind, selector, PodKind, members);
  const world: World = { ...observed, pods, current, update };
  const { actions: changes, recheckMs } = set.metadata.deletionTimestamp === undefined ? nextChanges(world) : { actions: [] };
  const status = statusOf(world);
  const waits = pods.map((pod) => untilAvailableMs(pod, set.spec.minReadySeconds ?? 0, now)).filter((ms) => ms !== undefined && ms > 0);
  const recheck = [...(waits as number[]).map((ms) => ms + 1), ...(recheckMs === undefined ? [] : [recheckMs])];
  return {
    actions: [
      ...claims,
      ...changes,
      ...(deepEqual(status, set.status) ? [] : [updateStatus(StatefulSetKind, { ...set, status } as Stored<StatefulSet>)]),
      ...cleanUp(world, revisions),
    ],
    recheckAfterMs: recheck.length === 0 ? undefined : Math.min(...recheck),
  };
}

interface World extends ObservedStatefulSet {
  /** The revision of pods that are not updated yet. */
  readonly current: Stored<ControllerRevision>;
  readonly update: Stored<ControllerRevision>;
}

interface Changes {
  readonly actions: readonly Action[];
  readonly recheckMs?: number;
}

/** How soon a claim that goes away is looked at again; its end is no event of the set. */
const CLAIM_RECHECK_MS = 1_000;

const isTerminating = ({ metadata }: Pod): boolean => metadata.deletionTimestamp !== undefined;
const isRunningAndReady = (pod: Pod): boolean => pod.status?.phase === "Running" && isReady(pod);
const isHealthy = (pod: Pod): boolean => isRunningAndReady(pod) && !isTerminating(pod);

function isAvailable({ set, now }: World, pod: Pod): boolean {
  return isRunningAndReady(pod) && untilAvailableMs(pod, set.spec.minReadySeconds ?? 0, now) === 0;
}

/** First the pods that must be there in order, then those that must go from the last, then the next pod to update. */
function nextChanges(world: World): Changes {
  const { set, pods } = world;
  const start = startOf(set);
  const end = start + sizeOf(set);
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod) ?? -1, pod]));
  const inOrder = set.spec.podManagementPolicy !== "Parallel";
  const ordinals = Array.from({ length: sizeOf(set) }, (_, i) => start + i);
  const condemned = [...byOrdinal].filter(([ordinal]) => ordinal < start || ordinal >= end).sort(([a], [b]) => b - a);
  const unhealthy =
    ordinals.find((ordinal) => {
      const pod = byOrdinal.get(ordinal);
      return pod === undefined || !isHealthy(pod);
    }) ?? condemned.findLast(([, pod]) => !isHealthy(pod))?.[0];
  const actions: Action[] = [];
  let recheckMs: number | undefined;
  const stop = (): Changes => ({ actions, ...(recheckMs === undefined ? {} : { recheckMs }) });

  for (const ordinal of ordinals) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined || pod.status?.phase === "Pending") {
      if (hasStaleClaim(set, ordinal, world.claimNamed)) {
        recheckMs = CLAIM_RECHECK_MS;
        if (pod === undefined && inOrder) return stop();
        if (pod === undefined) continue;
      }
      actions.push(...missingClaims(set, ordinal, world.claimNamed));
    }
    if (pod === undefined) {
      actions.push(createPod(world, ordinal));
      if (inOrder) return stop();
      continue;
    }
    if (isFinished(pod)) {
      if (!isTerminating(pod)) actions.push(...recreate(set, pod));
      if (inOrder) return stop();
      continue;
    }
    actions.push(...restoreIdentity(set, ordinal, pod), ...claimOwners(set, ordinal, pod, false, world.claimNamed));
    if (inOrder && (isTerminating(pod) || !isAvailable(world, pod))) return stop();
  }

  for (const [ordinal, pod] of condemned) actions.push(...claimOwners(set, ordinal, pod, true, world.claimNamed));
  for (const [ordinal, pod] of condemned) {
    if (isTerminating(pod)) {
      if (inOrder) return stop();
      continue;
    }
    if (inOrder && !isAvailable(world, pod) && ordinal !== unhealthy) return stop();
    actions.push(deletePod(set, pod, "beyond the size of its StatefulSet"));
    if (inOrder) return stop();
  }
  if (set.spec.updateStrategy?.type !== "OnDelete") actions.push(...rollingDeletes(world, ordinals, byOrdinal));
  return stop();
}

/** Pods of an old revision from the last ordinal down to the partition, as many as may be unavailable. */
function rollingDeletes(world: World, ordinals: readonly number[], byOrdinal: ReadonlyMap<number, Stored<Pod>>): readonly Action[] {
  const { set, update } = world;
  const { partition = 0, maxUnavailable } = set.spec.updateStrategy?.rollingUpdate ?? {};
  const targets = ordinals.filter((ordinal) => ordinal >= startOf(set) + partition).toReversed();
  const usable = (pod: Stored<Pod> | undefined) => pod !== undefined && !isTerminating(pod) && isAvailable(world, pod);
  let budget = 1;
  if (maxUnavailable !== undefined) {
    const allowed = Math.max(1, scaledDown(maxUnavailable, sizeOf(set)));
    budget = allowed - ordinals.filter((ordinal) => !usable(byOrdinal.get(ordinal))).length;
  }
  const actions: Action[] = [];
  for (const ordinal of targets) {
    const pod = byOrdinal.get(ordinal);
    const isOld = pod !== undefined && !isTerminating(pod) && revisionNameOf(pod) !== update.metadata.name;
    if (maxUnavailable === undefined) {
      if (isOld) return [deletePod(set, pod, "of an old revision")];
      if (!usable(pod)) return []; // the one before must be up first
    } else if (isOld) {
      if (usable(pod) && budget-- <= 0) continue; // one that is broken costs nothing
      actions.push(deletePod(set, pod, "of an old revision"));
    }
  }
  return actions;
}

function scaledDown(value: number | string, total: number): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent === undefined ? 0 : Math.floor((Number(percent) * total) / 100);
}

function createPod(world: World, ordinal: number): Action {
  const { set, current, update } = world;
  const { type, rollingUpdate } = set.spec.updateStrategy ?? {};
  const old = type !== "OnDelete" && ordinal < startOf(set) + (rollingUpdate?.partition ?? 0);
  const revision = old ? current : update;
  const object = statefulPod(set, ordinal, templateOf(revision, set.spec.template), revision);
  return { do: "create", kind: PodKind, object, announce: announcement(set, "create", podNameOf(set, ordinal)) };
}

function deletePod(set: Stored<StatefulSet>, pod: Stored<Pod>, because: string): Action {
  return { do: "delete", kind: PodKind, object: refOf(pod), because, announce: announcement(set, "delete", pod.metadata.name) };
}

function announcement(set: Stored<StatefulSet>, verb: "create" | "delete", pod: string): Announcement {
  const reason = verb === "create" ? "Create" : "Delete";
  const subject = `${verb} Pod ${pod} in StatefulSet ${set.metadata.name}`;
  return {
    about: set,
    done: `Successful${reason}`,
    failed: `Failed${reason}`,
    noun: "pod",
    wording: { done: `${subject} successful`, failed: `${subject} failed error: ` },
  };
}

/** A pod whose containers ended for good is deleted; the next look makes it anew. */
function recreate(set: Stored<StatefulSet>, pod: Stored<Pod>): readonly Action[] {
  const { namespace, name } = set.metadata;
  const failed = pod.status?.phase === "Failed";
  const message = `StatefulSet ${namespace}/${name} is recreating ${failed ? "failed" : "terminated"} Pod ${pod.metadata.name}`;
  const reason = failed ? "RecreatingFailedPod" : "RecreatingTerminatedPod";
  return [
    { do: "event", note: { about: set, type: failed ? "Warning" : "Normal", reason, message } },
    deletePod(set, pod, "its containers have ended"),
  ];
}

/** Adopted pods may lack the labels of their identity. */
function restoreIdentity(set: Stored<StatefulSet>, ordinal: number, pod: Stored<Pod>): readonly Action[] {
  const labels = identityLabels(set, ordinal);
  if (Object.entries(labels).every(([key, value]) => pod.metadata.labels?.[key] === value)) return [];
  const patch = { type: "merge", body: { metadata: { labels } } } as const;
  return [{ do: "patch", kind: PodKind, object: refOf(pod), patch, because: "it lacks the labels of its identity" }];
}

function statusOf(world: World): StatefulSetStatus {
  const { set, pods, current, update } = world;
  const count = (test: (pod: Pod) => boolean) => pods.filter(test).length;
  const created = pods.filter((pod) => !isTerminating(pod));
  const ofRevision = ({ metadata }: Stored<ControllerRevision>) => created.filter((pod) => revisionNameOf(pod) === metadata.name).length;
  const replicas = pods.length;
  const readyReplicas = count(isRunningAndReady);
  const updatedReplicas = ofRevision(update);
  const complete = set.spec.updateStrategy?.type !== "OnDelete" && updatedReplicas === replicas && readyReplicas === replicas;
  const numbers = { readyReplicas, currentReplicas: complete ? updatedReplicas : ofRevision(current), updatedReplicas };
  const { conditions } = set.status ?? {};
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas,
    ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== 0)),
    currentRevision: (complete ? update : current).metadata.name,
    updateRevision: update.metadata.name,
    collisionCount: set.status?.collisionCount ?? 0,
    ...(conditions === undefined ? {} : { conditions }),
    availableReplicas: count((pod) => isAvailable(world, pod)),
  };
}

function cleanUp({ set, pods, current, update }: World, revisions: readonly Stored<ControllerRevision>[]): readonly Action[] {
  const live = new Set([current.metadata.name, update.metadata.name, ...pods.map(revisionNameOf)]);
  const unused = revisions.filter(({ metadata }) => !live.has(metadata.name) && metadata.deletionTimestamp === undefined);
  return truncateHistory(unused, unused.length - (set.spec.revisionHistoryLimit ?? 10));
}
