import type { Instant } from "#base/clock.ts";
import { ControllerRevisionKind } from "#kinds/apps/controller-revision.ts";
import { DaemonSetKind } from "#kinds/apps/daemon-set.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { ControllerRevision, DaemonSet, DaemonSetStatus } from "#machinery/api/apps-v1.ts";
import type { Node, Pod } from "#machinery/api/core-v1.ts";
import { deepEqual } from "#machinery/deep-equal.ts";
import { keyOf, refOf, type Stored } from "#machinery/object.ts";
import { isEverything, labelSelectorFrom } from "#machinery/selector.ts";
import { type Action, type Announcement, type Plan, updateStatus } from "../action.ts";
import { POD_HASH_LABEL, presentRevision, truncateHistory } from "../controllerrevisions/revisions.ts";
import { claim, controllerRef } from "../owners.ts";
import { isFinished, isReady, podFromTemplate, untilAvailableMs } from "../pods.ts";
import { daemonPodSpec, eligibilityOf, targetNodeOf } from "./nodes.ts";
import { type OnNode, rollingChanges, surgeOf } from "./rollout.ts";

export interface ObservedDaemonSet {
  readonly set: Stored<DaemonSet>;
  readonly nodes: readonly Stored<Node>[];
  /** Pods it controls and pods of its namespace without controller. */
  readonly pods: readonly Stored<Pod>[];
  /** Revisions it controls and those of its namespace without controller. */
  readonly revisions: readonly Stored<ControllerRevision>[];
  readonly nameTaken: (revision: string) => boolean;
  /** When a failed pod may be replaced: the first of a node at once, later ones with growing delays. */
  readonly replaceAt: (pod: Stored<Pod>) => Instant;
  readonly now: Instant;
}

/** Pods made or deleted in one go. */
const BURST = 250;
/** Written by clients older than apps/v1. */
const GENERATION_ANNOTATION = "deprecated.daemonset.template.generation";

export function planDaemonSet(observed: ObservedDaemonSet): Plan {
  const { set, now } = observed;
  const selector = labelSelectorFrom(set.spec.selector);
  if (isEverything(selector)) {
    const message = "This daemon set is selecting all pods. A non-empty selector is required.";
    return { actions: [{ do: "event", note: { about: set, type: "Warning", reason: "SelectingAll", message } }] };
  }
  if (set.metadata.deletionTimestamp !== undefined) return { actions: [] };
  const { claimed: revisions, actions: adoptions } = claim(set, DaemonSetKind, selector, ControllerRevisionKind, observed.revisions);
  if (adoptions.length > 0) return { actions: adoptions };
  const { current, actions, collision } = presentRevision(set, DaemonSetKind, POD_HASH_LABEL, revisions, observed.nameTaken);
  if (collision) {
    const status = { ...(set.status ?? statusOf(set, [], "", now)), collisionCount: (set.status?.collisionCount ?? 0) + 1 };
    return { actions: [updateStatus(DaemonSetKind, { ...set, status } as Stored<DaemonSet>)] };
  }
  if (current === undefined || actions.length > 0) return { actions };
  const hash = current.metadata.labels?.[POD_HASH_LABEL] ?? "";
  const { claimed: pods, actions: claims } = claim(set, DaemonSetKind, selector, PodKind, observed.pods);
  const places = placesOf(set, observed.nodes, pods);
  const managed = manage(observed, places, pods, hash);
  const rolling =
    managed.changes.create.length + managed.changes.remove.length > 0 || set.spec.updateStrategy?.type === "OnDelete"
      ? { create: [], remove: [] }
      : rollingChanges(set, places, hash, now);
  const changes = [...apply(set, managed.changes, hash), ...apply(set, rolling, hash)];
  const status = statusOf(set, places, hash, now);
  const waits = pods.map((pod) => untilAvailableMs(pod, set.spec.minReadySeconds ?? 0, now)).filter((ms) => ms !== undefined && ms > 0);
  const recheck = [...(waits as number[]).map((ms) => ms + 1), ...managed.waits];
  return {
    actions: [
      ...claims,
      ...managed.events,
      ...changes,
      ...cleanUp(set, revisions, current, pods),
      ...(deepEqual(status, set.status) ? [] : [updateStatus(DaemonSetKind, { ...set, status } as Stored<DaemonSet>)]),
    ],
    recheckAfterMs: recheck.length === 0 ? undefined : Math.min(...recheck),
  };
}

/** Bound pods first, then the oldest. */
export function byBindingAndAge(a: Stored<Pod>, b: Stored<Pod>): number {
  const bound = Number((b.spec.nodeName ?? "") !== "") - Number((a.spec.nodeName ?? "") !== "");
  if (bound !== 0) return bound;
  const [x, y] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  return x === y ? (a.metadata.name < b.metadata.name ? -1 : 1) : x < y ? -1 : 1;
}

/** Every node with its pods, those being deleted after their end left out. */
function placesOf(set: Stored<DaemonSet>, nodes: readonly Stored<Node>[], pods: readonly Stored<Pod>[]): readonly OnNode[] {
  const byNode = new Map<string, Stored<Pod>[]>();
  for (const pod of pods) {
    if (isFinished(pod) && pod.metadata.deletionTimestamp !== undefined) continue;
    const node = targetNodeOf(pod);
    if (node === undefined) continue;
    const present = byNode.get(node);
    if (present === undefined) byNode.set(node, [pod]);
    else present.push(pod);
  }
  return nodes.map((node) => ({
    node: node.metadata.name,
    ...eligibilityOf(set, node),
    pods: (byNode.get(node.metadata.name) ?? []).sort(byBindingAndAge),
  }));
}

export interface PodChanges {
  /** Names of nodes. */
  readonly create: readonly string[];
  readonly remove: readonly Stored<Pod>[];
}

interface Managed {
  readonly changes: PodChanges;
  readonly events: readonly Action[];
  readonly waits: readonly number[];
}

function manage(observed: ObservedDaemonSet, places: readonly OnNode[], pods: readonly Stored<Pod>[], hash: string): Managed {
  const { set, nodes, now } = observed;
  const create: string[] = [];
  const remove: Stored<Pod>[] = [];
  const events: Action[] = [];
  const waits: number[] = [];
  for (const { node, shouldRun, shouldContinue, pods: present } of places) {
    if (present.length === 0) {
      if (shouldRun) create.push(node);
      continue;
    }
    const staying = present.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    if (!shouldContinue) {
      remove.push(...staying);
      continue;
    }
    const running: Stored<Pod>[] = [];
    for (const pod of staying) {
      if (!isFinished(pod)) {
        running.push(pod);
        continue;
      }
      const failed = pod.status?.phase === "Failed";
      const waitMs = failed ? observed.replaceAt(pod) - now : 0;
      if (waitMs > 0) {
        waits.push(waitMs);
        continue;
      }
      const message = failed
        ? `Found failed daemon pod ${keyOf(pod)} on node ${node}, will try to kill it`
        : `Found succeeded daemon pod ${keyOf(pod)} on node ${node}, will try to delete it`;
      const reason = failed ? "FailedDaemonPod" : "SucceededDaemonPod";
      events.push({ do: "event", note: { about: set, type: failed ? "Warning" : "Normal", reason, message } });
      remove.push(pod);
    }
    remove.push(...excess(set, running, hash, now));
  }
  const known = new Set(nodes.map(({ metadata }) => metadata.name));
  for (const pod of pods) {
    const target = targetNodeOf(pod);
    const lost = (pod.spec.nodeName ?? "") === "" && target !== undefined && !known.has(target);
    if (lost && pod.metadata.deletionTimestamp === undefined) remove.push(pod); // waits for a node that is gone
  }
  return { changes: { create, remove }, events, waits };
}

/** More than one pod on a node: the oldest stays, and with surge one of each revision until the new one is available. */
function excess(set: Stored<DaemonSet>, running: readonly Stored<Pod>[], hash: string, now: Instant): readonly Stored<Pod>[] {
  if (running.length <= 1) return [];
  if (surgeOf(set, 1) === 0) return running.slice(1);
  const isNew = (pod: Pod) => pod.metadata.labels?.[POD_HASH_LABEL] === hash;
  const newest = running.find(isNew);
  const old = running.find((pod) => !isNew(pod));
  const rest = running.filter((pod) => pod !== newest && pod !== old);
  if (newest === undefined || old === undefined) return rest;
  const oldGoes = !isReady(old) || untilAvailableMs(newest, set.spec.minReadySeconds ?? 0, now) === 0;
  return oldGoes ? [...rest, old] : rest;
}

function apply(set: Stored<DaemonSet>, { create, remove }: PodChanges, hash: string): readonly Action[] {
  const created: Announcement = { about: set, done: "SuccessfulCreate", failed: "FailedCreate", noun: "pod" };
  const deleted: Announcement = { about: set, done: "SuccessfulDelete", failed: "FailedDelete", noun: "pod" };
  return [
    ...create
      .slice(0, BURST)
      .map((node): Action => ({ do: "create", kind: PodKind, object: daemonPod(set, node, hash), announce: created })),
    ...remove
      .slice(0, BURST)
      .map((pod): Action => ({ do: "delete", kind: PodKind, object: refOf(pod), because: "not wanted on its node", announce: deleted })),
  ];
}

function daemonPod(set: Stored<DaemonSet>, node: string, hash: string): Pod {
  const pod = podFromTemplate(set.spec.template, set.metadata.namespace, controllerRef(DaemonSetKind, set));
  const generation = set.metadata.annotations?.[GENERATION_ANNOTATION];
  const labels = {
    ...pod.metadata.labels,
    [POD_HASH_LABEL]: hash,
    ...(generation === undefined ? {} : { "pod-template-generation": generation }),
  };
  return { ...pod, metadata: { ...pod.metadata, labels }, spec: daemonPodSpec(pod.spec, node) };
}

function cleanUp(
  set: Stored<DaemonSet>,
  revisions: readonly Stored<ControllerRevision>[],
  current: Stored<ControllerRevision>,
  pods: readonly Stored<Pod>[],
): readonly Action[] {
  const old = revisions.filter((revision) => revision !== current);
  const live = new Set(pods.map(({ metadata }) => metadata.labels?.[POD_HASH_LABEL]));
  const unused = old.filter(({ metadata }) => !live.has(metadata.labels?.[POD_HASH_LABEL]) && metadata.deletionTimestamp === undefined);
  return truncateHistory(unused, old.length - (set.spec.revisionHistoryLimit ?? 10));
}

function statusOf(set: Stored<DaemonSet>, places: readonly OnNode[], hash: string, now: Instant): DaemonSetStatus {
  const wanted = places.filter(({ shouldRun }) => shouldRun);
  const first = wanted.flatMap(({ pods }) => pods.slice(0, 1));
  const count = (test: (pod: Pod) => boolean) => first.filter(test).length;
  const numberAvailable = count((pod) => untilAvailableMs(pod, set.spec.minReadySeconds ?? 0, now) === 0);
  const optional = {
    observedGeneration: set.metadata.generation ?? 0,
    updatedNumberScheduled: count(({ metadata }) => metadata.labels?.[POD_HASH_LABEL] === hash),
    numberAvailable,
    numberUnavailable: wanted.length - numberAvailable,
  };
  const { collisionCount, conditions } = set.status ?? {};
  return {
    currentNumberScheduled: first.length,
    numberMisscheduled: places.filter(({ shouldRun, pods }) => !shouldRun && pods.length > 0).length,
    desiredNumberScheduled: wanted.length,
    numberReady: count(isReady),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== 0)),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    ...(conditions === undefined ? {} : { conditions }),
  };
}
