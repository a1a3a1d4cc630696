import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from "#machinery/api/autoscaling-v2.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE, UNKNOWN, UNSET } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { defaultAutoscaler, validateAutoscalerSpec } from "./autoscaler-rules.ts";

export const HorizontalPodAutoscalerKind = defineKind<HorizontalPodAutoscaler>({
  group: "autoscaling",
  version: "v2",
  kind: "HorizontalPodAutoscaler",
  plural: "horizontalpodautoscalers",
  shortNames: ["hpa"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column(
      "Reference",
      "The object that is scaled.",
      ({ spec }) => `${spec?.scaleTargetRef?.kind ?? ""}/${spec?.scaleTargetRef?.name ?? ""}`,
    ),
    column("Targets", "Metrics: current values and wanted values.", metricsText),
    column("MinPods", "Fewest pods there may be.", ({ spec }) => (spec?.minReplicas === undefined ? UNSET : String(spec.minReplicas))),
    column("MaxPods", "Most pods there may be.", ({ spec }) => spec?.maxReplicas ?? 0),
    column("Replicas", "Pods there are, as last seen.", ({ status }) => status?.currentReplicas ?? 0),
    ageColumn,
  ],
  strategy: {
    ...ownStatus<HorizontalPodAutoscaler>({ desiredReplicas: 0, currentMetrics: [] }),
    generation: "none",
    default: (autoscaler) => ({ ...autoscaler, spec: defaultAutoscaler(autoscaler.spec) }),
    validate: ({ spec }) => validateAutoscalerSpec(spec, "spec"),
  },
});

const SHOWN_METRICS = 2;

function metricsText({ spec, status }: HorizontalPodAutoscaler): string {
  const metrics = spec?.metrics ?? [];
  if (metrics.length === 0) return NONE;
  const texts = metrics.map((metric, index) => metricText(metric, status?.currentMetrics?.[index]));
  const shown = texts.slice(0, SHOWN_METRICS).join(", ");
  return texts.length > SHOWN_METRICS ? `${shown} + ${texts.length - SHOWN_METRICS} more...` : shown;
}

function metricText(metric: MetricSpec, status: MetricStatus | undefined): string {
  switch (metric.type) {
    case "Pods":
      return against(status?.pods?.current.averageValue, metric.pods?.target.averageValue);
    case "Object":
      return ofValueOrAverage(metric.object?.target, status?.object?.current);
    case "External":
      return ofValueOrAverage(metric.external?.target, status?.external?.current);
    case "Resource":
      return ofResource(metric.resource?.name, metric.resource?.target, status?.resource?.current);
    case "ContainerResource":
      return ofResource(metric.containerResource?.name, metric.containerResource?.target, status?.containerResource?.current);
    default:
      return "<unknown type>";
  }
}

function ofValueOrAverage(target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${against(current?.averageValue, target.averageValue)} (avg)`;
  return against(current?.value, target?.value);
}

function ofResource(name: string | undefined, target: MetricTarget | undefined, current: MetricValueStatus | undefined): string {
  if (target?.averageValue !== undefined) return `${name}: ${against(current?.averageValue, target.averageValue)}`;
  const wanted = target?.averageUtilization === undefined ? "<auto>" : `${target.averageUtilization}%`;
  return `${name}: ${against(current?.averageUtilization === undefined ? undefined : `${current.averageUtilization}%`, wanted)}`;
}

function against(current: string | number | undefined, target: string | number | undefined): string {
  return `${current ?? UNKNOWN}/${target ?? UNKNOWN}`;
}
