import { formatTime, type Instant } from "#base/clock.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Node, NodeCondition, Pod, Taint } from "#machinery/api/core-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import { type Action, type Plan, updateStatus } from "../action.ts";
import { isReady, podCondition } from "../pods.ts";

export interface ObservedNode {
  readonly node: Stored<Node>;
  /** Seen for the first time since this controller runs. */
  readonly isNew: boolean;
  /** When, on our own clock, its Lease or status last changed. */
  readonly heartbeatAt: Instant;
  /** Whether any other node is ready: where none is, the fault may be on our side and nothing is evicted. */
  readonly othersReady: boolean;
  readonly pods: readonly Stored<Pod>[];
  readonly gracePeriodMs: number;
  readonly now: Instant;
}

const NOT_READY = "node.kubernetes.io/not-ready";
const UNREACHABLE = "node.kubernetes.io/unreachable";
const STARTUP_GRACE_MS = 60_000;

/** Conditions that a kubelet reports, and so go Unknown with it. */
const REPORTED = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/** NoSchedule taints by the condition and state that causes them. */
const CONDITION_TAINTS: readonly (readonly [type: string, status: string, key: string])[] = [
  ["Ready", "False", NOT_READY],
  ["Ready", "Unknown", UNREACHABLE],
  ["MemoryPressure", "True", "node.kubernetes.io/memory-pressure"],
  ["DiskPressure", "True", "node.kubernetes.io/disk-pressure"],
  ["NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"],
  ["PIDPressure", "True", "node.kubernetes.io/pid-pressure"],
];
const UNSCHEDULABLE = "node.kubernetes.io/unschedulable";

export function planNodeLifecycle(observed: ObservedNode): Plan {
  const { node, isNew, heartbeatAt, pods, gracePeriodMs, now } = observed;
  const { name } = node.metadata;
  const graceMs = condition(node, "Ready") === undefined ? Math.max(STARTUP_GRACE_MS, gracePeriodMs) : gracePeriodMs;
  const lost = now - heartbeatAt >= graceMs;
  const conditions = lost ? unknownConditions(node, now) : (node.status?.conditions ?? []);
  const ready = conditions.find(({ type }) => type === "Ready");
  const wasReady = condition(node, "Ready")?.status === "True";
  const taints = taintsFor(observed, conditions, ready?.status ?? "Unknown");

  const actions: Action[] = [];
  if (isNew) actions.push(nodeEvent(node, "RegisteredNode", `Node ${name} event: Registered Node ${name} in Controller`));
  if (conditions !== node.status?.conditions && lost && changed(node, conditions)) {
    actions.push(updateStatus(NodeKind, { ...node, status: { ...node.status, conditions } } as Stored<Node>));
    if (wasReady) actions.push(nodeEvent(node, "NodeNotReady", `Node ${name} status is now: NodeNotReady`));
  }
  if (taints !== undefined) {
    const { resourceVersion } = node.metadata;
    const statusWritten = actions.some(({ do: verb }) => verb === "update");
    // The status write above makes a new version; the taints follow when it shows.
    if (!statusWritten) {
      const patch = { type: "merge", body: { metadata: { resourceVersion }, spec: { taints } } } as const;
      actions.push({ do: "patch", kind: NodeKind, object: refOf(node), patch, because: "its conditions changed" });
    }
  }
  if (ready !== undefined && ready.status !== "True") {
    for (const pod of pods) if (isReady(pod)) actions.push(...markNotReady(pod, now));
  }
  return { actions, recheckAfterMs: lost ? undefined : graceMs - (now - heartbeatAt) + 1 };
}

function condition(node: Node, type: string): NodeCondition | undefined {
  return node.status?.conditions?.find((candidate) => candidate.type === type);
}

function changed(node: Node, conditions: readonly NodeCondition[]): boolean {
  return conditions.some(({ type, status }) => condition(node, type)?.status !== status);
}

function unknownConditions(node: Node, now: Instant): readonly NodeCondition[] {
  const time = formatTime(now);
  const present = node.status?.conditions ?? [];
  const known = present.map((known): NodeCondition => {
    if (!REPORTED.includes(known.type) || known.status === "Unknown") return known;
    return {
      ...known,
      status: "Unknown",
      reason: "NodeStatusUnknown",
      message: "Kubelet stopped posting node status.",
      lastTransitionTime: time,
    };
  });
  const missing = REPORTED.filter((type) => !present.some((known) => known.type === type)).map(
    (type): NodeCondition => ({
      type,
      status: "Unknown",
      reason: "NodeStatusNeverUpdated",
      message: "Kubelet never posted node status.",
      lastHeartbeatTime: node.metadata.creationTimestamp ?? time,
      lastTransitionTime: time,
    }),
  );
  return [...known, ...missing];
}

/** The node's taints as its conditions ask for, or undefined where they are so already. */
function taintsFor(
  { node, othersReady, now }: ObservedNode,
  conditions: readonly NodeCondition[],
  ready: string,
): readonly Taint[] | undefined {
  const status = (type: string) => conditions.find((candidate) => candidate.type === type)?.status ?? (type === "Ready" ? ready : "");
  const wanted: Taint[] = CONDITION_TAINTS.filter(([type, state]) => status(type) === state).map(([, , key]) => ({
    key,
    effect: "NoSchedule",
  }));
  if (node.spec.unschedulable === true) wanted.push({ key: UNSCHEDULABLE, effect: "NoSchedule" });
  const evicting = ready === "True" ? undefined : ready === "False" ? NOT_READY : UNREACHABLE;
  const present = node.spec.taints ?? [];
  const hasEvicting = evicting !== undefined && present.some(({ key, effect }) => key === evicting && effect === "NoExecute");
  if (evicting !== undefined && (othersReady || hasEvicting)) wanted.push({ key: evicting, effect: "NoExecute" });
  const ours = (taint: Taint) =>
    taint.effect === "NoExecute"
      ? taint.key === NOT_READY || taint.key === UNREACHABLE
      : taint.effect === "NoSchedule" && (taint.key === UNSCHEDULABLE || CONDITION_TAINTS.some(([, , key]) => key === taint.key));
  const same = (a: Taint) => (b: Taint) => a.key === b.key && a.effect === b.effect;
  const removed = present.filter((taint) => ours(taint) && !wanted.some(same(taint)));
  const added = wanted.filter((taint) => !present.some(same(taint)));
  if (removed.length === 0 && added.length === 0) return undefined;
  const time = formatTime(now);
  return [...present.filter((taint) => !removed.includes(taint)), ...added.map((taint) => ({ ...taint, timeAdded: time }))];
}

function nodeEvent(node: Stored<Node>, reason: string, message: string): Action {
  return { do: "event", note: { about: node, type: "Normal", reason, message } };
}

/** Takes the pod out of Services: nobody can tell any more whether it answers. */
function markNotReady(pod: Stored<Pod>, now: Instant): readonly Action[] {
  const ready = podCondition(pod, "Ready");
  const time = formatTime(now);
  const conditions = pod.status?.conditions?.map((known) =>
    known === ready ? { ...known, status: "False", lastTransitionTime: time } : known,
  );
  return [
    updateStatus(PodKind, { ...pod, status: { ...pod.status, conditions } } as Stored<Pod>),
    { do: "event", note: { about: pod, type: "Warning", reason: "NodeNotReady", message: "Node is not ready" } },
  ];
}
