import { type FilterPlugin, unresolvable } from "./plugin.ts";
import { tolerates } from "#kinds/core/taints.ts";

const MISFIT = unresolvable("node(s) were unschedulable");

export const nodeUnschedulable: FilterPlugin = {
  name: "NodeUnschedulable",
  retryOn: ["node added", "node updated"],
  prepare({ pod }) {
    const taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" } as const;
    if (pod.tolerations.some((toleration) => tolerates(toleration, taint))) return "skip";
    return { filter: ({ node }) => (node.spec.unschedulable === true ? MISFIT : undefined) };
  },
};
