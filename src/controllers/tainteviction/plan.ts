import { formatTime, type Instant } from "#base/clock.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { tolerates } from "#kinds/core/taints.ts";
import type { Node, Pod, Taint, Toleration } from "#machinery/api/core-v1.ts";
import { keyOf, refOf, type Stored } from "#machinery/object.ts";
import { NOTHING_TO_DO, type Action, type Plan } from "../action.ts";
import { isFinished, podCondition } from "../pods.ts";

export interface ObservedTaints {
  readonly node: Stored<Node>;
  /** When each NoExecute taint of the node was first seen. */
  readonly since: (taint: Taint) => Instant;
  readonly pods: readonly Stored<Pod>[];
  readonly now: Instant;
}

/** Deletes pods that do not (or no longer) tolerate the NoExecute taints of their node. */
export function planTaintEviction({ node, since, pods, now }: ObservedTaints): Plan {
  const taints = (node.spec.taints ?? []).filter(({ effect }) => effect === "NoExecute");
  if (taints.length === 0) return NOTHING_TO_DO;
  const start = Math.max(...taints.map(since));
  const actions: Action[] = [];
  let recheckAfterMs: number | undefined;
  for (const pod of pods) {
    if (isFinished(pod) || pod.metadata.deletionTimestamp !== undefined) continue;
    const leaveMs = toleratedMs(pod.spec.tolerations ?? [], taints);
    if (leaveMs === undefined) continue;
    const rest = start + leaveMs - now;
    if (rest > 0) recheckAfterMs = Math.min(recheckAfterMs ?? rest, rest);
    else actions.push(...evict(pod, now));
  }
  return { actions, recheckAfterMs };
}

/** How long a pod may stay: 0 with a taint it does not tolerate, undefined for ever. */
function toleratedMs(tolerations: readonly Toleration[], taints: readonly Taint[]): number | undefined {
  let least: number | undefined;
  for (const taint of taints) {
    const matching = tolerations.filter((toleration) => tolerates(toleration, taint));
    if (matching.length === 0) return 0;
    for (const { tolerationSeconds } of matching) {
      if (tolerationSeconds !== undefined) least = Math.min(least ?? Number.POSITIVE_INFINITY, Math.max(0, tolerationSeconds) * 1000);
    }
  }
  return least;
}

function evict(pod: Stored<Pod>, now: Instant): readonly Action[] {
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    lastTransitionTime: formatTime(now),
    reason: "DeletionByTaintManager",
    message: "Taint manager: deleting due to NoExecute taint",
  };
  const conditions = [...(pod.status?.conditions ?? []).filter(({ type }) => type !== "DisruptionTarget"), condition];
  const mark: Action = {
    do: "patch",
    kind: PodKind,
    object: refOf(pod),
    subresource: "status",
    patch: { type: "merge", body: { metadata: { resourceVersion: pod.metadata.resourceVersion }, status: { conditions } } },
    because: "it is to be evicted",
  };
  return [
    {
      do: "event",
      note: { about: pod, type: "Normal", reason: "TaintManagerEviction", message: `Marking for deletion Pod ${keyOf(pod)}` },
    },
    ...(podCondition(pod, "DisruptionTarget")?.status === "True" ? [] : [mark]),
    { do: "delete", kind: PodKind, object: refOf(pod), because: "it does not tolerate a NoExecute taint" },
  ];
}
