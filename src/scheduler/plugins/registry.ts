import { dynamicResources } from "./dynamic-resources.ts";
import { interPodAffinity, interPodAffinityScore } from "./inter-pod-affinity.ts";
import { nodeAffinity, nodeAffinityScore } from "./node-affinity.ts";
import { nodeName } from "./node-name.ts";
import { nodePorts } from "./node-ports.ts";
import { nodeResourcesBalancedAllocation, nodeResourcesFit, nodeResourcesFitScore } from "./node-resources.ts";
import { nodeUnschedulable } from "./node-unschedulable.ts";
import type { FilterPlugin, ScorePlugin } from "./plugin.ts";
import { podTopologySpread, podTopologySpreadScore } from "./pod-topology-spread.ts";
import { taintToleration, taintTolerationScore } from "./taint-toleration.ts";
import { volumeBinding } from "./volume-binding.ts";

/** In upstream's order: the first misfit of a node is the one that is reported. */
export const FILTERS: readonly FilterPlugin[] = [
  nodeUnschedulable,
  nodeName,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResourcesFit,
  volumeBinding,
  podTopologySpread,
  interPodAffinity,
  dynamicResources,
];

/** With upstream's weights. */
export const SCORERS: readonly ScorePlugin[] = [
  taintTolerationScore,
  nodeAffinityScore,
  nodeResourcesFitScore,
  podTopologySpreadScore,
  interPodAffinityScore,
  nodeResourcesBalancedAllocation,
];
