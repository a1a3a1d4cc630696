import type { HorizontalPodAutoscaler as V1 } from "#machinery/api/autoscaling-v1.ts";
import type { HorizontalPodAutoscaler as V2, HorizontalPodAutoscalerStatus, MetricSpec } from "#machinery/api/autoscaling-v2.ts";
import { isPlainObject } from "#machinery/plain.ts";

/** What v1 has no field for travels in these annotations, as JSON in the shape of v2. */
const METRICS = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior";
const CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions";
const OWN = new Set([METRICS, BEHAVIOR, CURRENT, CONDITIONS]);

function isCpu(metric: MetricSpec): boolean {
  return metric.type === "Resource" && metric.resource?.name === "cpu" && metric.resource.target.type === "Utilization";
}

/** Pure: autoscaling/v1 as it is stored. */
export function autoscalerToV2(autoscaler: V1): V2 {
  const annotations = autoscaler.metadata.annotations ?? {};
  const others = Object.fromEntries(Object.entries(annotations).filter(([key]) => !OWN.has(key)));
  const { annotations: _, ...metadata } = autoscaler.metadata;
  const { targetCPUUtilizationPercentage: cpu, ...spec } = autoscaler.spec;
  const { currentCPUUtilizationPercentage, ...status } = autoscaler.status ?? { currentReplicas: 0, desiredReplicas: 0 };
  const listed = parsed(annotations[METRICS]);
  const metrics: MetricSpec[] = [
    ...(cpu === undefined
      ? []
      : [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: cpu } } } as MetricSpec]),
    ...(Array.isArray(listed) ? (listed as MetricSpec[]) : []),
  ];
  const behavior = parsed(annotations[BEHAVIOR]);
  const current = parsed(annotations[CURRENT]);
  const conditions = parsed(annotations[CONDITIONS]);
  const cpuNow =
    currentCPUUtilizationPercentage === undefined
      ? []
      : [{ type: "Resource", resource: { name: "cpu", current: { averageUtilization: currentCPUUtilizationPercentage } } }];
  const currentMetrics = [...cpuNow, ...(Array.isArray(current) ? (current as object[]) : [])];
  return {
    ...autoscaler,
    apiVersion: "autoscaling/v2",
    metadata: { ...metadata, ...(Object.keys(others).length === 0 ? {} : { annotations: others }) },
    spec: {
      ...spec,
      ...(metrics.length === 0 ? {} : { metrics }),
      ...(isPlainObject(behavior) ? { behavior: behavior } : {}),
    },
    status: {
      ...status,
      ...(currentMetrics.length === 0 ? {} : { currentMetrics }),
      ...(Array.isArray(conditions) ? { conditions } : {}),
    } as HorizontalPodAutoscalerStatus,
  };
}

/** Pure: the way back. */
export function autoscalerFromV2(autoscaler: V2): V1 {
  const { metrics = [], behavior, ...spec } = autoscaler.spec;
  const { currentMetrics = [], conditions, ...status } = autoscaler.status ?? { currentReplicas: 0, desiredReplicas: 0 };
  const cpu = metrics.find(isCpu)?.resource?.target.averageUtilization;
  const rest = metrics.filter((_, i) => i !== metrics.findIndex(isCpu));
  const isCpuNow = ({ resource }: (typeof currentMetrics)[number]) =>
    resource?.name === "cpu" && resource.current.averageUtilization !== undefined;
  const cpuNow = currentMetrics.find(isCpuNow)?.resource?.current.averageUtilization;
  const restNow = currentMetrics.filter((_, i) => i !== currentMetrics.findIndex(isCpuNow));
  const annotations = {
    ...autoscaler.metadata.annotations,
    ...(rest.length === 0 ? {} : { [METRICS]: JSON.stringify(rest) }),
    ...(behavior === undefined ? {} : { [BEHAVIOR]: JSON.stringify(behavior) }),
    ...(restNow.length === 0 ? {} : { [CURRENT]: JSON.stringify(restNow) }),
    ...(conditions === undefined || conditions.length === 0 ? {} : { [CONDITIONS]: JSON.stringify(conditions) }),
  };
  return {
    ...autoscaler,
    apiVersion: "autoscaling/v1",
    metadata: { ...autoscaler.metadata, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
    spec: { ...spec, ...(cpu === undefined ? {} : { targetCPUUtilizationPercentage: cpu }) },
    status: {
      ...status,
      currentReplicas: status.currentReplicas ?? 0,
      ...(cpuNow === undefined ? {} : { currentCPUUtilizationPercentage: cpuNow }),
    },
  };
}

function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}
