import type { NodeState } from "../snapshot.ts";
import { type FilterPlugin, MAX_SCORE, type ScorePlugin } from "./plugin.ts";

export const nodeResourcesFit: FilterPlugin = {
  name: "NodeResourcesFit",
  retryOn: ["node added", "node updated", "pod removed", "pod updated"],
  prepare({ pod }) {
    const wanted = Object.entries(pod.requests).filter(([, amount]) => amount > 0);
    return {
      filter({ allocatable, requested, pods }) {
        let reasons: string[] | undefined;
        let possible = true;
        if (pods.size + 1 > (allocatable.pods ?? 0)) reasons = ["Too many pods"];
        for (const [resource, amount] of wanted) {
          const total = allocatable[resource] ?? 0;
          if (amount <= total - (requested[resource] ?? 0)) continue;
          (reasons ??= []).push(`Insufficient ${resource}`);
          if (amount > total) possible = false; // not even an empty node would do
        }
        return reasons === undefined ? undefined : { reasons, resolvable: possible };
      },
    };
  },
};

/** Emptier nodes are better (LeastAllocated over cpu and memory). */
export const nodeResourcesFitScore: ScorePlugin = {
  name: "NodeResourcesFit",
  weight: 1,
  prepare:
    ({ pod }) =>
    (nodes) =>
      nodes.map(({ allocatable, scoredRequested }) => {
        const cpu = free(allocatable.cpu, scoredRequested.cpu + pod.scoredRequests.cpu);
        const memory = free(allocatable.memory, scoredRequested.memory + pod.scoredRequests.memory);
        const known = [cpu, memory].filter((score) => score !== undefined);
        return known.length === 0 ? 0 : Math.floor(known.reduce((sum, score) => sum + score, 0) / known.length);
      }),
};

function free(total: number | undefined, used: number): number | undefined {
  if (total === undefined || total === 0) return undefined;
  return used > total ? 0 : Math.floor(((total - used) * MAX_SCORE) / total);
}

/** Nodes whose cpu and memory are used to the same degree are better. */
export const nodeResourcesBalancedAllocation: ScorePlugin = {
  name: "NodeResourcesBalancedAllocation",
  weight: 1,
  prepare({ pod: { requests } }) {
    if ((requests.cpu ?? 0) === 0 && (requests.memory ?? 0) === 0) return "skip"; // the pod changes no balance
    return (nodes) =>
      nodes.map((node) => {
        const fractions = [fraction(node, "cpu", requests.cpu), fraction(node, "memory", requests.memory)].filter((f) => f !== undefined);
        const [a = 0, b = a] = fractions;
        return Math.floor((1 - Math.abs(a - b) / 2) * MAX_SCORE);
      });
  },
};

function fraction({ allocatable, requested }: NodeState, resource: string, more = 0): number | undefined {
  const total = allocatable[resource] ?? 0;
  return total === 0 ? undefined : Math.min(1, ((requested[resource] ?? 0) + more) / total);
}
