import type { HorizontalPodAutoscaler } from "#machinery/api/autoscaling-v2.ts";
import { defineKind, STATUS } from "../kind.ts";

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
});
