import { formatTime, type Instant } from "#base/clock.ts";
import { PodDisruptionBudgetKind } from "#kinds/policy/pod-disruption-budget.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import type { Condition } from "#machinery/api/meta-v1.ts";
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from "#machinery/api/policy-v1.ts";
import { deepEqual } from "#machinery/deep-equal.ts";
import type { Stored } from "#machinery/object.ts";
import { formatLabelSelector, labelSelectorFrom } from "#machinery/selector.ts";
import { type Action, type Plan, updateStatus } from "../action.ts";
import { isReady } from "../pods.ts";

/** The controller of a pod: how many pods it wants, or why nobody knows. */
export type Scale = { readonly uid: string; readonly replicas: number } | { readonly error: string };

export interface ObservedBudget {
  readonly budget: Stored<PodDisruptionBudget>;
  /** Pods its selector matches. */
  readonly pods: readonly Stored<Pod>[];
  /** undefined: nothing controls the pod. */
  readonly scaleOf: (pod: Stored<Pod>) => Scale | undefined;
  readonly now: Instant;
}

/** An evicted pod that is still there after this time will not go. */
const DELETION_TIMEOUT_MS = 2 * 60_000;

export function planDisruption(observed: ObservedBudget): Plan {
  const { budget, pods, now } = observed;
  const events: Action[] = [];
  const tell = (type: "Normal" | "Warning", reason: string, message: string) =>
    void events.push({ do: "event", note: { about: budget, type, reason, message } });
  if (pods.length === 0) tell("Normal", "NoPods", "No matching pods found");
  const wanted = wantedHealthy(observed);
  if ("error" in wanted) {
    const message = `Failed to calculate the number of expected pods: ${wanted.error}`;
    tell("Warning", "CalculateExpectedPodCountFailed", message);
    const condition = conditionOf(budget, { status: "False", reason: "SyncFailed", message: wanted.error }, now);
    const status: PodDisruptionBudgetStatus = { ...zeros, ...budget.status, disruptionsAllowed: 0, conditions: condition };
    return { actions: [...(unchanged(status, budget) ? [] : events), ...write(budget, status)] };
  }
  if (wanted.unmanaged.length > 0) {
    tell(
      "Warning",
      "UnmanagedPods",
      `Pods selected by this PodDisruptionBudget (selector: ${selectorText(budget)}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.`,
    );
  }
  const { disruptedPods, waitMs, overdue } = stillDisrupted(budget, pods, now);
  const currentHealthy = pods.filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && disruptedPods[pod.metadata.name] === undefined && isReady(pod),
  ).length;
  const { expectedPods, desiredHealthy } = wanted;
  const disruptionsAllowed = expectedPods <= 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const reason = disruptionsAllowed > 0 ? "SufficientPods" : "InsufficientPods";
  const status: PodDisruptionBudgetStatus = {
    observedGeneration: budget.metadata.generation ?? 0,
    ...(Object.keys(disruptedPods).length === 0 ? {} : { disruptedPods }),
    disruptionsAllowed,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    conditions: conditionOf(budget, { status: disruptionsAllowed > 0 ? "True" : "False", reason, message: "" }, now),
  };
  return {
    actions: [...(unchanged(status, budget) ? [] : events), ...overdue, ...write(budget, status)],
    recheckAfterMs: waitMs,
  };
}

const zeros = { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
const unchanged = (status: PodDisruptionBudgetStatus, budget: PodDisruptionBudget): boolean => deepEqual(status, budget.status);

function write(budget: Stored<PodDisruptionBudget>, status: PodDisruptionBudgetStatus): readonly Action[] {
  if (unchanged(status, budget)) return [];
  return [updateStatus(PodDisruptionBudgetKind, { ...budget, status } as Stored<PodDisruptionBudget>)];
}

function selectorText({ spec }: PodDisruptionBudget): string {
  return formatLabelSelector(labelSelectorFrom(spec.selector));
}

interface Wanted {
  readonly expectedPods: number;
  readonly desiredHealthy: number;
  readonly unmanaged: readonly Stored<Pod>[];
}

function wantedHealthy({ budget, pods, scaleOf }: ObservedBudget): Wanted | { readonly error: string } {
  const { minAvailable, maxUnavailable } = budget.spec;
  if (maxUnavailable === undefined && minAvailable === undefined) return { expectedPods: 0, desiredHealthy: 0, unmanaged: [] };
  if (maxUnavailable === undefined && typeof minAvailable === "number") {
    return { expectedPods: pods.length, desiredHealthy: minAvailable, unmanaged: [] };
  }
  const scales = new Map<string, number>();
  const unmanaged: Stored<Pod>[] = [];
  for (const pod of pods) {
    const scale = scaleOf(pod);
    if (scale === undefined) unmanaged.push(pod);
    else if ("error" in scale) return scale;
    else scales.set(scale.uid, scale.replicas);
  }
  const expectedPods = [...scales.values()].reduce((sum, replicas) => sum + replicas, 0);
  const desired =
    maxUnavailable === undefined ? scaled(minAvailable ?? 0, expectedPods) : expectedPods - scaled(maxUnavailable, expectedPods);
  return { expectedPods, desiredHealthy: Math.max(0, desired), unmanaged };
}

/** Percentages are rounded up, in both directions. */
function scaled(value: number | string, total: number): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent === undefined ? 0 : Math.ceil((Number(percent) * total) / 100);
}

/** Evictions that were allowed and whose pods are not gone yet. */
function stillDisrupted(budget: Stored<PodDisruptionBudget>, pods: readonly Stored<Pod>[], now: Instant) {
  const disruptedPods: Record<string, string> = {};
  const overdue: Action[] = [];
  let waitMs: number | undefined;
  for (const [name, time] of Object.entries(budget.status?.disruptedPods ?? {})) {
    const pod = pods.find(({ metadata }) => metadata.name === name);
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) continue;
    const left = Date.parse(time) + DELETION_TIMEOUT_MS - now;
    if (left > 0) {
      disruptedPods[name] = time;
      waitMs = Math.min(waitMs ?? left, left) + 1;
      continue;
    }
    const { namespace } = budget.metadata;
    const message = `Pod was expected by PDB ${namespace}/${budget.metadata.name} to be deleted but it wasn't`;
    overdue.push({ do: "event", note: { about: pod, type: "Warning", reason: "NotDeleted", message } });
  }
  return { disruptedPods, overdue, waitMs };
}

function conditionOf(
  { metadata, status }: Stored<PodDisruptionBudget>,
  next: Pick<Condition, "status" | "reason" | "message">,
  now: Instant,
): readonly Condition[] {
  const present = (status?.conditions ?? []).find(({ type }) => type === "DisruptionAllowed");
  const condition: Condition = {
    type: "DisruptionAllowed",
    ...next,
    observedGeneration: metadata.generation ?? 0,
    lastTransitionTime: present?.status === next.status ? present.lastTransitionTime : formatTime(now),
  };
  return [...(status?.conditions ?? []).filter(({ type }) => type !== "DisruptionAllowed"), condition];
}
