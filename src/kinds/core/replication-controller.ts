import type { ReplicationController } from "#machinery/api/core-v1.ts";
import { defineKind, SCALE, STATUS } from "../kind.ts";
import { ageColumn, column, containerColumns, labelsText, nameColumn, wideColumn } from "../printing.ts";

export const ReplicationControllerKind = defineKind<ReplicationController>({
  group: "",
  version: "v1",
  kind: "ReplicationController",
  plural: "replicationcontrollers",
  shortNames: ["rc"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.ReplicationController",
  storagePrefix: "/registry/controllers",
  subresources: [SCALE, STATUS],
  columns: [
    nameColumn,
    column("Desired", "Number of desired pods.", ({ spec }) => spec?.replicas ?? 0, "integer"),
    column("Current", "Number of pods there are.", ({ status }) => status?.replicas ?? 0, "integer"),
    column("Ready", "Number of pods that are ready.", ({ status }) => status?.readyReplicas ?? 0, "integer"),
    ageColumn,
    ...containerColumns<ReplicationController>(({ spec }) => spec?.template),
    wideColumn("Selector", "Selects the pods it counts.", ({ spec }) => labelsText(spec?.selector)),
  ],
});
