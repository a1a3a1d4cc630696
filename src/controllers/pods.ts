import type { Instant } from "#base/clock.ts";
import type { Pod, PodCondition, PodTemplateSpec } from "#machinery/api/core-v1.ts";
import type { OwnerReference } from "#machinery/api/meta-v1.ts";

export function isActive(pod: Pod): boolean {
  return !isFinished(pod) && pod.metadata.deletionTimestamp === undefined;
}

/** Its containers have ended for good. */
export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

export function isReady(pod: Pod): boolean {
  return podCondition(pod, "Ready")?.status === "True";
}

/** Milliseconds until a ready pod counts as available; 0 when it does, undefined while it is not ready. */
export function untilAvailableMs(pod: Pod, minReadySeconds: number, now: Instant): number | undefined {
  const ready = podCondition(pod, "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds === 0) return 0;
  const since = Date.parse(ready.lastTransitionTime ?? "");
  return Number.isNaN(since) ? undefined : Math.max(0, since + minReadySeconds * 1000 - now);
}

/** A pod as `template` describes it, owned by `owner`. The server completes the name. */
export function podFromTemplate(template: PodTemplateSpec, namespace: string | undefined, owner: OwnerReference): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: `${owner.name}-`,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [owner],
    },
    spec: template.spec ?? { containers: [] },
  };
}

export interface DeletionContext {
  readonly now: Instant;
  /** How many related pods share the node of a pod. */
  readonly doubledUp: (pod: Pod) => number;
}

/** Upstream's order of who goes first: unassigned, pending, unready, cheap, crowded, freshly ready, often restarted, young. */
export function byDeletionPreference({ now, doubledUp }: DeletionContext): (a: Pod, b: Pod) => number {
  return (a, b) => {
    const assigned = Number(hasNode(a)) - Number(hasNode(b));
    if (assigned !== 0) return assigned;
    const phase = phaseOrder(a) - phaseOrder(b);
    if (phase !== 0) return phase;
    const ready = Number(isReady(a)) - Number(isReady(b));
    if (ready !== 0) return ready;
    const cost = deletionCost(a) - deletionCost(b);
    if (cost !== 0) return cost;
    const crowd = doubledUp(b) - doubledUp(a);
    if (crowd !== 0) return crowd;
    if (isReady(a) && isReady(b)) {
      const since = byYouth(podCondition(a, "Ready")?.lastTransitionTime, podCondition(b, "Ready")?.lastTransitionTime, now);
      if (since !== 0) return since;
    }
    const restarts = maxRestarts(b) - maxRestarts(a);
    if (restarts !== 0) return restarts;
    const age = byYouth(a.metadata.creationTimestamp, b.metadata.creationTimestamp, now);
    if (age !== 0) return age;
    return (a.metadata.uid ?? "") < (b.metadata.uid ?? "") ? -1 : 1;
  };
}

/** Younger first; ages that have the same power of two of seconds count as equal, so that no node is favoured by its start order. */
function byYouth(a: string | undefined, b: string | undefined, now: Instant): number {
  if (a === b) return 0;
  return magnitude(a, now) - magnitude(b, now);
}

function magnitude(time: string | undefined, now: Instant): number {
  const at = Date.parse(time ?? "");
  if (Number.isNaN(at)) return -1; // no time: youngest
  const seconds = (now - at) / 1000;
  return seconds < 1 ? 0 : Math.floor(Math.log2(seconds)) + 1;
}

const hasNode = (pod: Pod): boolean => (pod.spec.nodeName ?? "") !== "";

function phaseOrder({ status }: Pod): number {
  switch (status?.phase) {
    case "Pending":
    case undefined:
      return 0;
    case "Unknown":
      return 1;
    case "Running":
    case "Succeeded":
    case "Failed":
      return 2;
  }
}

function deletionCost({ metadata: { annotations } }: Pod): number {
  const cost = Number(annotations?.["controller.kubernetes.io/pod-deletion-cost"] ?? "0");
  return Number.isInteger(cost) ? cost : 0;
}

function maxRestarts({ status }: Pod): number {
  return Math.max(0, ...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount));
}
