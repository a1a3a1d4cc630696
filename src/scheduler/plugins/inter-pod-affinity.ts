import { type AffinityTerm, type PodFacts } from "../pod-facts.ts";
import { type NodeCounts, type NodeState, selectionOf, type SnapshotView } from "../snapshot.ts";
import { type FilterPlugin, MAX_SCORE, resolvable, type ScorePlugin, unresolvable } from "./plugin.ts";

const AFFINITY = unresolvable("node(s) didn't match pod affinity rules");
const ANTI_AFFINITY = resolvable("node(s) didn't match pod anti-affinity rules");
const EXISTING_ANTI_AFFINITY = resolvable("node(s) didn't satisfy existing pods anti-affinity rules");

/** Pods that match a term, per value of its topology label. */
function domainsOf(snapshot: SnapshotView, topologyKey: string, counts: NodeCounts): ReadonlyMap<string, number> {
  const domains = new Map<string, number>();
  for (const [name, count] of counts) {
    const value = snapshot.node(name)?.labels[topologyKey];
    if (value !== undefined) domains.set(value, (domains.get(value) ?? 0) + count);
  }
  return domains;
}

const matches = (snapshot: SnapshotView, term: AffinityTerm, pod: PodFacts): boolean => snapshot.selects(selectionOf(term), pod);

/** Required affinity and anti-affinity, and the anti-affinity of pods that are already there. */
export const interPodAffinity: FilterPlugin = {
  name: "InterPodAffinity",
  retryOn: ["node added", "node updated", "pod placed", "pod removed", "pod updated", "namespace changed"],
  prepare({ pod, snapshot }) {
    const repelled = repelledDomains(snapshot, pod);
    if (pod.affinity.length === 0 && pod.antiAffinity.length === 0 && repelled.size === 0) return "skip";
    const anti = pod.antiAffinity.map((term) => ({
      term,
      domains: domainsOf(snapshot, term.topologyKey, snapshot.counts(selectionOf(term))),
    }));
    const affinity = pod.affinity.map((term) => ({
      term,
      // A pod satisfies the affinity only if it matches all terms, as upstream has it.
      domains: domainsOf(snapshot, term.topologyKey, matchingAll(snapshot, pod.affinity)),
    }));
    const first = affinity.every(({ domains }) => domains.size === 0) && pod.affinity.every((term) => matches(snapshot, term, pod));
    return {
      filter({ labels }) {
        for (const { term, domains } of affinity) {
          const value = labels[term.topologyKey];
          if (value === undefined) return AFFINITY;
          if (!domains.has(value) && !first) return AFFINITY; // the first of its kind may start anywhere
        }
        for (const { term, domains } of anti) {
          const value = labels[term.topologyKey];
          if (value !== undefined && domains.has(value)) return ANTI_AFFINITY;
        }
        for (const [key, values] of repelled) {
          const value = labels[key];
          if (value !== undefined && values.has(value)) return EXISTING_ANTI_AFFINITY;
        }
        return undefined;
      },
    };
  },
};

function matchingAll(snapshot: SnapshotView, terms: readonly AffinityTerm[]): NodeCounts {
  const [first, ...others] = terms;
  if (first === undefined) return new Map();
  const counts = snapshot.counts(selectionOf(first));
  if (others.every(({ id }) => id === first.id)) return counts;
  const all = new Map<string, number>();
  for (const name of counts.keys()) {
    const matching = [...(snapshot.node(name)?.pods.values() ?? [])].filter(
      (pod) => !pod.terminating && terms.every((term) => matches(snapshot, term, pod)),
    );
    if (matching.length > 0) all.set(name, matching.length);
  }
  return all;
}

/** Topology key -> values where a pod with anti-affinity against `pod` runs. */
function repelledDomains(snapshot: SnapshotView, pod: PodFacts): ReadonlyMap<string, ReadonlySet<string>> {
  const domains = new Map<string, Set<string>>();
  for (const { pod: existing, node } of snapshot.repelling.values()) {
    for (const term of existing.antiAffinity) {
      const value = snapshot.node(node)?.labels[term.topologyKey];
      if (value === undefined || !matches(snapshot, term, pod)) continue;
      domains.set(term.topologyKey, (domains.get(term.topologyKey) ?? new Set()).add(value));
    }
  }
  return domains;
}

/** Preferred terms, in both directions; a required affinity of pods already there counts with weight 1. */
export const interPodAffinityScore: ScorePlugin = {
  name: "InterPodAffinity",
  weight: 2,
  prepare({ pod, snapshot }) {
    const weights = new Map<string, Map<string, number>>();
    for (const { term, weight } of pod.preferredAffinity) {
      for (const [value, count] of domainsOf(snapshot, term.topologyKey, snapshot.counts(selectionOf(term)))) {
        raise(weights, term.topologyKey, value, weight * count);
      }
    }
    for (const { pod: existing, node } of snapshot.preferring.values()) {
      const labels = snapshot.node(node)?.labels;
      if (labels === undefined) continue;
      const terms = [...existing.preferredAffinity, ...existing.affinity.map((term) => ({ term, weight: 1 }))];
      for (const { term, weight } of terms) {
        const value = labels[term.topologyKey];
        if (value !== undefined && matches(snapshot, term, pod)) raise(weights, term.topologyKey, value, weight);
      }
    }
    if (weights.size === 0) return "skip";
    return (nodes) => spreadOver(nodes.map((node) => sumOf(weights, node)));
  },
};

function raise(weights: Map<string, Map<string, number>>, key: string, value: string, by: number): void {
  const values = weights.get(key) ?? new Map<string, number>();
  weights.set(key, values.set(value, (values.get(value) ?? 0) + by));
}

function sumOf(weights: ReadonlyMap<string, ReadonlyMap<string, number>>, { labels }: NodeState): number {
  let sum = 0;
  for (const [key, values] of weights) sum += values.get(labels[key] ?? "") ?? 0;
  return sum;
}

/** The least becomes 0, the most 100. */
function spreadOver(sums: readonly number[]): readonly number[] {
  const [least, most] = [Math.min(...sums), Math.max(...sums)];
  return sums.map((sum) => (most === least ? 0 : Math.floor((MAX_SCORE * (sum - least)) / (most - least))));
}
