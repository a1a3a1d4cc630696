import { matchesNodeTerm } from "#kinds/core/node-selector.ts";
import { type FilterPlugin, normalized, type ScorePlugin, unresolvable } from "./plugin.ts";

const MISFIT = unresolvable("node(s) didn't match Pod's node affinity/selector");

/** `nodeSelector` and required node affinity. */
export const nodeAffinity: FilterPlugin = {
  name: "NodeAffinity",
  retryOn: ["node added", "node updated"],
  prepare({ pod: { nodeFits } }) {
    if (nodeFits === undefined) return "skip";
    return { filter: ({ name, labels }) => (nodeFits(name, labels) ? undefined : MISFIT) };
  },
};

export const nodeAffinityScore: ScorePlugin = {
  name: "NodeAffinity",
  weight: 2,
  prepare({ pod }) {
    const preferred = pod.pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (preferred.length === 0) return "skip";
    return (nodes) =>
      normalized(
        nodes.map(({ name, labels }) =>
          preferred.reduce((sum, { weight, preference }) => sum + (matchesNodeTerm(preference, name, labels) ? weight : 0), 0),
        ),
      );
  },
};
