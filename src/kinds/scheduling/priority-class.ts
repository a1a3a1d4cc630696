import type { PriorityClass } from "#machinery/api/scheduling-v1.ts";
import { defineKind } from "../kind.ts";

export const PriorityClassKind = defineKind<PriorityClass>({
  group: "scheduling.k8s.io",
  version: "v1",
  kind: "PriorityClass",
  plural: "priorityclasses",
  shortNames: ["pc"],
  scope: "Cluster",
  typeName: "io.k8s.api.scheduling.v1.PriorityClass",
});
