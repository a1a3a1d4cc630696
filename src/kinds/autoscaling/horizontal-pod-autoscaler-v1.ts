import type { HorizontalPodAutoscaler } from "#machinery/api/autoscaling-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

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
});
