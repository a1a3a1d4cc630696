import type { ReplicaSet } from "#machinery/api/apps-v1.ts";
import { defineKind, SCALE, STATUS } from "../kind.ts";
import { ageColumn, column, containerColumns, nameColumn, selectorText, wideColumn } from "../printing.ts";

export const ReplicaSetKind = defineKind<ReplicaSet>({
  group: "apps",
  version: "v1",
  kind: "ReplicaSet",
  plural: "replicasets",
  shortNames: ["rs"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.apps.v1.ReplicaSet",
  subresources: [SCALE, STATUS],
  columns: [
    nameColumn,
    column("Desired", "Number of desired pods.", ({ spec }) => spec?.replicas ?? 0, "integer"),
    column("Current", "Number of pods there are.", ({ status }) => status?.replicas ?? 0, "integer"),
    column("Ready", "Number of pods that are ready.", ({ status }) => status?.readyReplicas ?? 0, "integer"),
    ageColumn,
    ...containerColumns<ReplicaSet>(({ spec }) => spec?.template),
    wideColumn("Selector", "Selects the pods it counts.", ({ spec }) => selectorText(spec?.selector)),
  ],
});
