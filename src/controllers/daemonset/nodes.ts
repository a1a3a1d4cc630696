import type { DaemonSet } from "#machinery/api/apps-v1.ts";
import { matchesNodeSelector } from "#kinds/core/node-selector.ts";
import { tolerates } from "#kinds/core/taints.ts";
import type { Node, Pod, PodSpec, Toleration } from "#machinery/api/core-v1.ts";

/** What every daemon pod endures, so that it stays on nodes that others must leave. */
const TOLERATED: readonly Toleration[] = [
  { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/disk-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/memory-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/pid-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/unschedulable", operator: "Exists", effect: "NoSchedule" },
];
const NETWORK: Toleration = { key: "node.kubernetes.io/network-unavailable", operator: "Exists", effect: "NoSchedule" };

/** Tolerations of a daemon pod; one of the template about the same taint gives way. */
export function daemonTolerations({ tolerations = [], hostNetwork }: PodSpec): readonly Toleration[] {
  const added = hostNetwork === true ? [...TOLERATED, NETWORK] : TOLERATED;
  const same = (a: Toleration, b: Toleration) =>
    a.key === b.key && a.effect === b.effect && (a.operator ?? "Equal") === (b.operator ?? "Equal") && (a.value ?? "") === (b.value ?? "");
  return [...tolerations.filter((own) => !added.some((toleration) => same(own, toleration))), ...added];
}

export interface Eligibility {
  /** A pod is made here. */
  readonly shouldRun: boolean;
  /** A pod that is here may stay. */
  readonly shouldContinue: boolean;
}

export function eligibilityOf(set: DaemonSet, node: Node): Eligibility {
  const spec: PodSpec = set.spec.template.spec ?? { containers: [] };
  const name = node.metadata.name ?? "";
  const labels = node.metadata.labels ?? {};
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const fits =
    (spec.nodeName === undefined || spec.nodeName === "" || spec.nodeName === name) &&
    Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value) &&
    (required === undefined || matchesNodeSelector(required, name, labels));
  if (!fits) return { shouldRun: false, shouldContinue: false };
  const tolerations = daemonTolerations(spec);
  const untolerated = (node.spec?.taints ?? []).filter((taint) => !tolerations.some((toleration) => tolerates(toleration, taint)));
  return {
    shouldRun: untolerated.every(({ effect }) => effect === "PreferNoSchedule"),
    shouldContinue: untolerated.every(({ effect }) => effect !== "NoExecute"),
  };
}

/** The node a daemon pod is on, or is meant for while it waits for the scheduler. */
export function targetNodeOf({ spec }: Pod): string | undefined {
  if (spec.nodeName !== undefined && spec.nodeName !== "") return spec.nodeName;
  for (const term of spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? []) {
    for (const { key, operator, values } of term.matchFields ?? []) {
      if (key === "metadata.name" && operator === "In" && values?.length === 1) return values[0];
    }
  }
  return undefined;
}

/** The template's pod for one node: bound by the scheduler, to that node only. */
export function daemonPodSpec(spec: PodSpec, node: string): PodSpec {
  return {
    ...spec,
    affinity: {
      ...spec.affinity,
      nodeAffinity: {
        ...spec.affinity?.nodeAffinity,
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node] }] }],
        },
      },
    },
    tolerations: daemonTolerations(spec),
  };
}
