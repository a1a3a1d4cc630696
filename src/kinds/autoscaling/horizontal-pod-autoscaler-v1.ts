import type { HorizontalPodAutoscaler } from "#machinery/api/autoscaling-v1.ts";
import { type FieldError, invalidField } from "#machinery/field-error.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE, UNKNOWN, UNSET } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { type Errors } from "../validation.ts";
import { validateScaleTarget, validateReplicaBounds } from "./autoscaler-rules.ts";

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
  strategy: {
    ...ownStatus<HorizontalPodAutoscaler>({ currentReplicas: 0, desiredReplicas: 0 }),
    generation: "none",
    default: defaultAutoscaler,
    validate: validateAutoscaler,
  },
});

function targetText({ spec, status }: HorizontalPodAutoscaler): string {
  if (spec?.targetCPUUtilizationPercentage === undefined) return NONE;
  const current = status?.currentCPUUtilizationPercentage;
  return `cpu: ${current === undefined ? UNKNOWN : `${current}%`}/${spec.targetCPUUtilizationPercentage}%`;
}

function validateAutoscaler({ spec }: HorizontalPodAutoscaler): Errors {
  const errors: FieldError[] = [...validateReplicaBounds(spec, "spec"), ...validateScaleTarget(spec.scaleTargetRef, "spec.scaleTargetRef")];
  const percent = spec.targetCPUUtilizationPercentage;
  if (percent !== undefined && percent < 1) {
    errors.push(invalidField("spec.targetCPUUtilizationPercentage", percent, "must be greater than 0"));
  }
  return errors;
}

/** Metrics that this version has no field for. */
const METRICS_ANNOTATION = "autoscaling.alpha.kubernetes.io/metrics";

/** 80 % of the requested CPU, unless other metrics are asked for. */
function defaultAutoscaler(autoscaler: HorizontalPodAutoscaler): HorizontalPodAutoscaler {
  const { spec, metadata } = autoscaler;
  const others = metadata.annotations?.[METRICS_ANNOTATION] !== undefined;
  const percent = spec.targetCPUUtilizationPercentage ?? (others ? undefined : 80);
  return {
    ...autoscaler,
    spec: {
      ...spec,
      minReplicas: spec.minReplicas ?? 1,
      ...(percent === undefined ? {} : { targetCPUUtilizationPercentage: percent }),
    },
  };
}
