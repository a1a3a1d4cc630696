import { formatTime, type Instant } from "#base/clock.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Node, Pod } from "#machinery/api/core-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import type { Action, Plan } from "../action.ts";
import { isFinished, podCondition } from "../pods.ts";

export interface ObservedPods {
  readonly pods: readonly Stored<Pod>[];
  readonly nodes: ReadonlyMap<string, Stored<Node>>;
  /** Nodes that pods are bound to and that have been gone for long enough. */
  readonly gone: ReadonlySet<string>;
  readonly terminatedPodThreshold: number;
  readonly now: Instant;
}

export const PERIOD_MS = 20_000;

/** Removes pods that no kubelet will ever finish, and finished pods beyond the threshold. */
export function planPodGc({ pods, nodes, gone, terminatedPodThreshold, now }: ObservedPods): Plan {
  const finished = pods.filter(isFinished).toSorted((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1));
  const surplus = finished.slice(0, Math.max(0, finished.length - terminatedPodThreshold));
  const actions: Action[] = [];
  const doomed = new Set<Stored<Pod>>();
  for (const pod of surplus) remove(pod, "too many finished pods");
  for (const pod of pods) {
    const node = pod.spec.nodeName ?? "";
    const terminating = pod.metadata.deletionTimestamp !== undefined;
    if (node === "") {
      if (terminating) remove(pod, "deleted before it was bound", "PodGC: unscheduled and terminating");
    } else if (gone.has(node)) remove(pod, "its node is gone", "PodGC: node no longer exists");
    else if (terminating && isOutOfService(nodes.get(node))) remove(pod, "its node is out of service", "PodGC: node out of service");
  }
  return { actions, recheckAfterMs: PERIOD_MS };

  function remove(pod: Stored<Pod>, because: string, disruption?: string): void {
    if (doomed.has(pod)) return;
    doomed.add(pod);
    if (disruption !== undefined && !isFinished(pod)) actions.push(markFailed(pod, disruption, now));
    actions.push({ do: "delete", kind: PodKind, object: refOf(pod), because, options: { gracePeriodSeconds: 0 } });
  }
}

function isOutOfService(node: Node | undefined): boolean {
  const ready = node?.status?.conditions?.find(({ type }) => type === "Ready")?.status === "True";
  return !ready && (node?.spec.taints ?? []).some(({ key }) => key === "node.kubernetes.io/out-of-service");
}

/** The last word about the pod, for those who count its end (Jobs). */
function markFailed(pod: Stored<Pod>, message: string, now: Instant): Action {
  const condition = { type: "DisruptionTarget", status: "True", lastTransitionTime: formatTime(now), reason: "DeletionByPodGC", message };
  const present = podCondition(pod, "DisruptionTarget");
  const conditions =
    present?.status === "True"
      ? (pod.status?.conditions ?? [])
      : [...(pod.status?.conditions ?? []).filter(({ type }) => type !== "DisruptionTarget"), condition];
  return {
    do: "patch",
    kind: PodKind,
    object: refOf(pod),
    subresource: "status",
    patch: { type: "merge", body: { status: { phase: "Failed", conditions } } },
    because: message,
  };
}
