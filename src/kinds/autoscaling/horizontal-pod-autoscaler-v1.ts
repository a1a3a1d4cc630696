import type { HorizontalPodAutoscaler } from "#machinery/api/autoscaling-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE, UNKNOWN, UNSET } from "../printing.ts";

export const HorizontalPodAutoscalerV1Kind = defineKind<HorizontalPodAutoscaler>({
  group: "autoscaling",
  version: "v1",
  kind: "HorizontalPodAutoscaler",
  plural: "horizontalpodautoscalers",
  shortNames: ["hpa"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column(
      "Reference",
      "The object that is scaled.",
      ({ spec }) => `${spec?.scaleTargetRef?.kind ?? ""}/${spec?.scaleTargetRef?.name ?? ""}`,
    ),
    column("Targets", "CPU use of its pods: current and wanted.", targetText),
    column("MinPods", "Fewest pods there may be.", ({ spec }) => (spec?.minReplicas === undefined ? UNSET : String(spec.minReplicas))),
    column("MaxPods", "Most pods there may be.", ({ spec }) => spec?.maxReplicas ?? 0),
    column("Replicas", "Pods there are, as last seen.", ({ status }) => status?.currentReplicas ?? 0),
    ageColumn,
  ],
});

function targetText({ spec, status }: HorizontalPodAutoscaler): string {
  if (spec?.targetCPUUtilizationPercentage === undefined) return NONE;
  const current = status?.currentCPUUtilizationPercentage;
  return `cpu: ${current === undefined ? UNKNOWN : `${current}%`}/${spec.targetCPUUtilizationPercentage}%`;
}
