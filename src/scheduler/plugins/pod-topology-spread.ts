import type { TopologySpreadConstraint } from "#machinery/api/core-v1.ts";
import { labelSelectorFrom, type ParsedLabelSelector } from "#machinery/selector.ts";
import { withLabelKeys } from "../pod-facts.ts";
import type { NodeCounts, NodeState } from "../snapshot.ts";
import { type CycleContext, type FilterPlugin, MAX_SCORE, resolvable, type ScorePlugin, unresolvable } from "./plugin.ts";
import { isHard, toleratesAll } from "#kinds/core/taints.ts";

const HOSTNAME = "kubernetes.io/hostname";
const ZONE = "topology.kubernetes.io/zone";
const MISFIT = resolvable("node(s) didn't match pod topology spread constraints");
const MISSING_LABEL = unresolvable("node(s) didn't match pod topology spread constraints (missing required label)");

interface Constraint {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly minDomains: number;
  readonly selector: ParsedLabelSelector;
  readonly honoursAffinity: boolean;
  readonly honoursTaints: boolean;
}

function constraintsOf({ pod }: CycleContext, whenUnsatisfiable: TopologySpreadConstraint["whenUnsatisfiable"]): readonly Constraint[] {
  return (pod.pod.spec.topologySpreadConstraints ?? [])
    .filter((constraint) => constraint.whenUnsatisfiable === whenUnsatisfiable)
    .map((constraint) => ({
      topologyKey: constraint.topologyKey,
      maxSkew: constraint.maxSkew,
      minDomains: constraint.minDomains ?? 1,
      selector: withLabelKeys(labelSelectorFrom(constraint.labelSelector), pod.labels, constraint.matchLabelKeys),
      honoursAffinity: constraint.nodeAffinityPolicy !== "Ignore",
      honoursTaints: constraint.nodeTaintsPolicy === "Honor",
    }));
}

function countsFor({ pod, snapshot }: CycleContext, { selector }: Constraint): NodeCounts {
  return snapshot.counts({ namespaces: new Set([pod.namespace]), namespaceSelector: undefined, selector });
}

/** Whether the pods of a node count for a constraint. */
function counted({ pod }: CycleContext, constraint: Constraint, node: NodeState): boolean {
  if (constraint.honoursAffinity && pod.nodeFits !== undefined && !pod.nodeFits(node.name, node.labels)) return false;
  return !constraint.honoursTaints || toleratesAll(pod.tolerations, (node.node.spec.taints ?? []).filter(isHard));
}

/** Required spreading (`DoNotSchedule`). */
export const podTopologySpread: FilterPlugin = {
  name: "PodTopologySpread",
  retryOn: ["node added", "node updated", "node removed", "pod placed", "pod removed", "pod updated"],
  prepare(context) {
    const constraints = constraintsOf(context, "DoNotSchedule");
    if (constraints.length === 0) return "skip";
    const states = constraints.map((constraint) => {
      const counts = countsFor(context, constraint);
      const domains = new Map<string, number>();
      for (const node of context.snapshot.nodes) {
        // A node without one of the topologies takes part in none of them.
        if (!constraints.every(({ topologyKey }) => node.labels[topologyKey] !== undefined)) continue;
        const domain = node.labels[constraint.topologyKey];
        if (domain === undefined || !counted(context, constraint, node)) continue;
        domains.set(domain, (domains.get(domain) ?? 0) + (counts.get(node.name) ?? 0));
      }
      const least = domains.size < constraint.minDomains ? 0 : Math.min(...domains.values());
      const own = context.snapshot.selects(
        { namespaces: new Set([context.pod.namespace]), namespaceSelector: undefined, selector: constraint.selector },
        context.pod,
      );
      return { constraint, domains, least, self: own ? 1 : 0 };
    });
    return {
      filter({ labels }) {
        for (const { constraint, domains, least, self } of states) {
          const domain = labels[constraint.topologyKey];
          if (domain === undefined) return MISSING_LABEL;
          if ((domains.get(domain) ?? 0) + self - least > constraint.maxSkew) return MISFIT;
        }
        return undefined;
      },
    };
  },
};

/** Preferred spreading: the pod's own `ScheduleAnyway` constraints, or over hosts and zones with the pods of its Services and owner. */
export const podTopologySpreadScore: ScorePlugin = {
  name: "PodTopologySpread",
  weight: 2,
  prepare(context, candidates) {
    const own = constraintsOf(context, "ScheduleAnyway");
    const isDefault = (context.pod.pod.spec.topologySpreadConstraints ?? []).length === 0;
    const constraints = isDefault ? defaultConstraints(context) : own;
    if (constraints.length === 0) return "skip";
    const takesPart = (node: NodeState) => isDefault || constraints.every(({ topologyKey }) => node.labels[topologyKey] !== undefined);
    const eligible = candidates.filter(takesPart);
    const states = constraints.map((constraint) => {
      const counts = countsFor(context, constraint);
      const perHost = constraint.topologyKey === HOSTNAME;
      const domains = new Map<string, number>();
      for (const { labels } of eligible) {
        const domain = labels[constraint.topologyKey];
        if (domain !== undefined) domains.set(domain, 0);
      }
      if (!perHost) {
        for (const node of context.snapshot.nodes) {
          const domain = node.labels[constraint.topologyKey];
          if (domain === undefined || !domains.has(domain) || !counted(context, constraint, node)) continue;
          domains.set(domain, (domains.get(domain) ?? 0) + (counts.get(node.name) ?? 0));
        }
      }
      const size = perHost ? eligible.length : domains.size;
      return { constraint, counts, perHost, domains, weight: Math.log(size + 2) };
    });
    return (nodes) => {
      const costs = nodes.map((node) => {
        if (!takesPart(node)) return undefined;
        let cost = 0;
        for (const { constraint, counts, perHost, domains, weight } of states) {
          const domain = node.labels[constraint.topologyKey];
          if (domain === undefined) continue;
          const count = perHost ? (counts.get(node.name) ?? 0) : (domains.get(domain) ?? 0);
          cost += count * weight + (constraint.maxSkew - 1);
        }
        return Math.round(cost);
      });
      const known = costs.filter((cost) => cost !== undefined);
      const [least, most] = [Math.min(...known), Math.max(0, ...known)];
      return costs.map((cost) => {
        if (cost === undefined) return 0;
        return most === 0 ? MAX_SCORE : Math.floor((MAX_SCORE * (most + least - cost)) / most);
      });
    };
  },
};

function defaultConstraints({ pod, facts }: CycleContext): readonly Constraint[] {
  const selector = facts.spreadSelector(pod);
  if (selector === undefined) return [];
  const common = { minDomains: 1, selector, honoursAffinity: true, honoursTaints: false };
  return [
    { topologyKey: HOSTNAME, maxSkew: 3, ...common },
    { topologyKey: ZONE, maxSkew: 5, ...common },
  ];
}
