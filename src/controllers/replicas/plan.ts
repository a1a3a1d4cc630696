import { formatTime, type Instant } from "#base/clock.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { KindRef } from "#kinds/kind.ts";
import type { ReplicaSet, ReplicaSetStatus } from "#machinery/api/apps-v1.ts";
import type { Pod, PodTemplateSpec, ReplicationController } from "#machinery/api/core-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import { matchesLabels, type ParsedLabelSelector, selectorFromMap } from "#machinery/selector.ts";
import { type Action, type Announcement, type Plan, updateStatus } from "../action.ts";
import { claim, controllerOf, controllerRef } from "../owners.ts";
import { byDeletionPreference, isActive, isReady, podFromTemplate, untilAvailableMs } from "../pods.ts";

/** What ReplicaSet and ReplicationController have in common. */
export interface Replicas {
  readonly kind: KindRef;
  readonly owner: Stored<ReplicaSet> | Stored<ReplicationController>;
  readonly selector: ParsedLabelSelector;
  readonly template: PodTemplateSpec | undefined;
  /** The count of terminating pods is part of the status of ReplicaSets only. */
  readonly countsTerminating: boolean;
}

export interface ObservedReplicas extends Replicas {
  /** Pods it controls and pods of its namespace without controller. */
  readonly pods: readonly Stored<Pod>[];
  /** Pods of its siblings (other ReplicaSets of the same Deployment), its own included. */
  readonly related: readonly Stored<Pod>[];
  readonly inFlight: number;
  readonly failure: { readonly reason: string; readonly message: string } | undefined;
  readonly now: Instant;
}

/** Pods made or deleted in one go. */
const BURST = 500;

export function planReplicas(observed: ObservedReplicas): Plan {
  const { owner, kind, selector, pods, inFlight, now } = observed;
  const minReadySeconds = owner.spec.minReadySeconds ?? 0;
  const { claimed, actions } = claim(owner, kind, selector, PodKind, pods.filter(isActive));
  const changes: readonly Action[] = inFlight > 0 || owner.metadata.deletionTimestamp !== undefined ? [] : scale(observed, claimed);
  const terminating = pods.filter(
    (pod) => controllerOf(pod)?.uid === owner.metadata.uid && pod.metadata.deletionTimestamp !== undefined && !isDone(pod),
  ).length;
  const status = statusOf(observed, claimed, terminating);
  const waits = claimed.map((pod) => untilAvailableMs(pod, minReadySeconds, now)).filter((ms) => ms !== undefined && ms > 0);
  return {
    actions: [
      ...actions,
      ...changes,
      ...(sameStatus(status, owner.status) ? [] : [updateStatus(kind, { ...owner, status } as Stored<ReplicaSet>)]),
    ],
    recheckAfterMs: waits.length === 0 ? undefined : Math.min(...(waits as number[])) + 1,
  };
}

const isDone = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

function scale(observed: ObservedReplicas, pods: readonly Stored<Pod>[]): readonly Action[] {
  const { owner, kind, template, related, now } = observed;
  const missing = (owner.spec.replicas ?? 1) - pods.length;
  if (missing > 0) {
    const announce: Announcement = { about: owner, done: "SuccessfulCreate", failed: "FailedCreate", noun: "pod" };
    const object = podFromTemplate(template ?? {}, owner.metadata.namespace, controllerRef(kind, owner));
    return Array.from({ length: Math.min(missing, BURST) }, () => ({ do: "create", kind: PodKind, object, announce }));
  }
  if (missing === 0) return [];
  const announce: Announcement = { about: owner, done: "SuccessfulDelete", failed: "FailedDelete", noun: "pod" };
  const perNode = new Map<string, number>();
  for (const pod of related.filter(isActive)) {
    if (pod.spec.nodeName !== undefined) perNode.set(pod.spec.nodeName, (perNode.get(pod.spec.nodeName) ?? 0) + 1);
  }
  const order = byDeletionPreference({ now, doubledUp: ({ spec }) => perNode.get(spec.nodeName ?? "") ?? 0 });
  return pods
    .toSorted(order)
    .slice(0, Math.min(-missing, BURST))
    .map((pod) => ({ do: "delete", kind: PodKind, object: refOf(pod), because: "scaled down", announce }));
}

function statusOf(observed: ObservedReplicas, pods: readonly Stored<Pod>[], terminating: number): ReplicaSetStatus {
  const { owner, template, failure, now, countsTerminating } = observed;
  const labels = selectorFromMap(template?.metadata?.labels);
  const count = (test: (pod: Pod) => boolean) => pods.filter(test).length;
  const numbers = {
    fullyLabeledReplicas: count((pod) => matchesLabels(labels, pod.metadata.labels)),
    readyReplicas: count(isReady),
    availableReplicas: count((pod) => untilAvailableMs(pod, owner.spec.minReadySeconds ?? 0, now) === 0),
  };
  const present = owner.status?.conditions ?? [];
  const others = present.filter(({ type }) => type !== "ReplicaFailure");
  const known = present.find(({ type }) => type === "ReplicaFailure");
  const conditions =
    failure === undefined
      ? others
      : [
          ...others,
          known ?? {
            type: "ReplicaFailure",
            status: "True",
            lastTransitionTime: formatTime(now),
            reason: failure.reason,
            message: failure.message,
          },
        ];
  return {
    replicas: pods.length,
    ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== 0)),
    ...(countsTerminating ? { terminatingReplicas: terminating } : {}),
    observedGeneration: owner.metadata.generation ?? 0,
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}

function sameStatus(next: ReplicaSetStatus, present: ReplicaSetStatus | undefined): boolean {
  return (
    present !== undefined &&
    next.replicas === present.replicas &&
    (next.fullyLabeledReplicas ?? 0) === (present.fullyLabeledReplicas ?? 0) &&
    (next.readyReplicas ?? 0) === (present.readyReplicas ?? 0) &&
    (next.availableReplicas ?? 0) === (present.availableReplicas ?? 0) &&
    (next.terminatingReplicas ?? 0) === (present.terminatingReplicas ?? 0) &&
    next.observedGeneration === (present.observedGeneration ?? 0) &&
    JSON.stringify(next.conditions ?? []) === JSON.stringify(present.conditions ?? [])
  );
}
