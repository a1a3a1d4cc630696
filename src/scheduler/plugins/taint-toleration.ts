import { type FilterPlugin, normalized, type ScorePlugin, unresolvable } from "./plugin.ts";
import { isHard, tolerates } from "#kinds/core/taints.ts";

const MISFIT = unresolvable("node(s) had untolerated taint(s)");

export const taintToleration: FilterPlugin = {
  name: "TaintToleration",
  retryOn: ["node added", "node updated"],
  prepare: ({ pod }) => ({
    filter({ node }) {
      for (const taint of node.spec.taints ?? []) {
        if (isHard(taint) && !pod.tolerations.some((toleration) => tolerates(toleration, taint))) return MISFIT;
      }
      return undefined;
    },
  }),
};

/** Fewer `PreferNoSchedule` taints that the pod does not tolerate are better. */
export const taintTolerationScore: ScorePlugin = {
  name: "TaintToleration",
  weight: 3,
  prepare({ pod }, candidates) {
    if (candidates.every(({ node }) => (node.spec.taints ?? []).every(({ effect }) => effect !== "PreferNoSchedule"))) return "skip";
    const soft = pod.tolerations.filter(({ effect }) => effect === undefined || effect === "PreferNoSchedule");
    return (nodes) =>
      normalized(
        nodes.map(
          ({ node }) =>
            (node.spec.taints ?? []).filter(
              (taint) => taint.effect === "PreferNoSchedule" && !soft.some((toleration) => tolerates(toleration, taint)),
            ).length,
        ),
        true,
      );
  },
};
