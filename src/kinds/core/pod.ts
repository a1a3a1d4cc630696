import type { Pod, PodCondition, PodStatus } from "#machinery/api/core-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE, wideColumn } from "../printing.ts";
import { summarizePod } from "./pod-status.ts";
import { isConditionTrue } from "../conditions.ts";
import { keepStatus, onlyStatus } from "../strategy.ts";
import { immutable } from "../validation.ts";
import { defaultRunningPodSpec } from "./pod-defaults.ts";
import { validatePodSpec } from "./pod-rules.ts";
import { validatePodUpdate } from "./pod-update.ts";
import { qosClassOf } from "./resources.ts";
import { podWarnings } from "./pod-warnings.ts";

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
  strategy: {
    warnings: ({ spec }) => podWarnings(spec, "spec"),
    generation: "spec",
    default: (pod) => ({ ...pod, spec: defaultRunningPodSpec(pod.spec ?? { containers: [] }) }),
    prepareForCreate: (pod) => ({ ...pod, metadata: { ...pod.metadata, generation: 1 }, status: initialStatus(pod) }),
    prepareForUpdate: keepStatus,
    prepareForStatusUpdate: (next, previous) => withQos(onlyStatus(next, previous), previous),
    validate: ({ spec }) => validatePodSpec(spec, "spec"),
    validateUpdate: validatePodUpdate,
    validateStatusUpdate: (next, previous) => immutable(next.status?.qosClass, previous.status?.qosClass, "status.qosClass"),
    gracePeriod,
    fields: ({ spec, status }) => ({
      "spec.nodeName": spec?.nodeName ?? "",
      "spec.restartPolicy": spec?.restartPolicy ?? "",
      "spec.schedulerName": spec?.schedulerName ?? "",
      "spec.serviceAccountName": spec?.serviceAccountName ?? "",
      "spec.hostNetwork": String(spec?.hostNetwork ?? false),
      "status.phase": status?.phase ?? "",
      "status.podIP": status?.podIPs?.[0]?.ip ?? status?.podIP ?? "",
      "status.nominatedNodeName": status?.nominatedNodeName ?? "",
    }),
  },
});

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return NONE;
  const holding = gates.filter(({ conditionType }) => isConditionTrue(pod.status?.conditions, conditionType));
  return `${holding.length}/${gates.length}`;
}

function initialStatus({ spec }: Pod): PodStatus {
  const gated: readonly PodCondition[] =
    (spec.schedulingGates?.length ?? 0) === 0
      ? []
      : [
          {
            type: "PodScheduled",
            status: "False",
            reason: "SchedulingGated",
            message: "Scheduling is blocked due to non-empty scheduling gates",
          },
        ];
  return { phase: "Pending", ...(gated.length === 0 ? {} : { conditions: gated }), qosClass: qosClassOf(spec) };
}

/** Kubelets that leave the class out do not unset it. */
function withQos(next: Pod, { status }: Pod): Pod {
  if (next.status === undefined || next.status.qosClass !== undefined || status?.qosClass === undefined) return next;
  return { ...next, status: { ...next.status, qosClass: status.qosClass } };
}

/** Pods that run nowhere, or no longer, go at once. */
function gracePeriod({ spec, status }: Pod, asked: number | undefined): number {
  if ((spec?.nodeName ?? "") === "" || status?.phase === "Succeeded" || status?.phase === "Failed") return 0;
  const seconds = asked ?? spec?.terminationGracePeriodSeconds ?? 0;
  return seconds < 0 ? 1 : seconds;
}
