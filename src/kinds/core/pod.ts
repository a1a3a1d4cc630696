import type { Pod } from "#machinery/api/core-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE, wideColumn } from "../printing.ts";
import { summarizePod } from "./pod-status.ts";
import { isConditionTrue } from "../conditions.ts";

export const PodKind = defineKind<Pod>({
  group: "",
  version: "v1",
  kind: "Pod",
  plural: "pods",
  shortNames: ["po"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.Pod",
  subresources: [
    { name: "attach", verbs: ["create", "get"], kind: { group: "", version: "v1", kind: "PodAttachOptions" } },
    { name: "binding", verbs: ["create"], kind: { group: "", version: "v1", kind: "Binding" } },
    { name: "ephemeralcontainers", verbs: ["get", "patch", "update"] },
    { name: "eviction", verbs: ["create"], kind: { group: "policy", version: "v1", kind: "Eviction" } },
    { name: "exec", verbs: ["create", "get"], kind: { group: "", version: "v1", kind: "PodExecOptions" } },
    { name: "log", verbs: ["get"] },
    { name: "portforward", verbs: ["create", "get"], kind: { group: "", version: "v1", kind: "PodPortForwardOptions" } },
    { name: "proxy", verbs: ["create", "delete", "get", "patch", "update"], kind: { group: "", version: "v1", kind: "PodProxyOptions" } },
    { name: "resize", verbs: ["get", "patch", "update"] },
    STATUS,
  ],
  columns: [
    nameColumn,
    column("Ready", "Containers that are ready, of all.", (pod, now) => summarizePod(pod, now).ready),
    column("Status", "What the containers of the pod are doing.", (pod, now) => summarizePod(pod, now).status),
    column("Restarts", "How often its containers were restarted, and how long ago.", (pod, now) => summarizePod(pod, now).restarts),
    ageColumn,
    wideColumn("IP", "Primary IP address of the pod.", (pod) => pod.status?.podIPs?.[0]?.ip || pod.status?.podIP || NONE),
    wideColumn("Node", "Node the pod is bound to.", (pod) => pod.spec?.nodeName || NONE),
    wideColumn("Nominated Node", "Node where preemption makes room for the pod.", (pod) => pod.status?.nominatedNodeName || NONE),
    wideColumn("Readiness Gates", "Conditions that must hold, besides ready containers, and how many do.", readinessGates),
  ],
});

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return NONE;
  const holding = gates.filter(({ conditionType }) => isConditionTrue(pod.status?.conditions, conditionType));
  return `${holding.length}/${gates.length}`;
}
