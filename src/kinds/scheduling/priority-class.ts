import type { PriorityClass } from "#machinery/api/scheduling-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";

export const PriorityClassKind = defineKind<PriorityClass>({
  group: "scheduling.k8s.io",
  version: "v1",
  kind: "PriorityClass",
  plural: "priorityclasses",
  shortNames: ["pc"],
  scope: "Cluster",
  typeName: "io.k8s.api.scheduling.v1.PriorityClass",
  columns: [
    nameColumn,
    column("Value", "The priority of its pods.", ({ value = 0 }) => value, "integer"),
    column("Global-Default", "Whether pods that name no class get this one.", ({ globalDefault = false }) => globalDefault, "boolean"),
    ageColumn,
    column("PreemptionPolicy", "Whether its pods may preempt others.", ({ preemptionPolicy = "" }) => preemptionPolicy),
  ],
});
