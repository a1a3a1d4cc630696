import type { CSIDriver } from "#machinery/api/storage-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, UNSET } from "../printing.ts";

export const CSIDriverKind = defineKind<CSIDriver>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSIDriver",
  plural: "csidrivers",
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.CSIDriver",
  columns: [
    nameColumn,
    column("AttachRequired", "Whether volumes must be attached first.", ({ spec }) => spec?.attachRequired ?? true, "boolean"),
    column("PodInfoOnMount", "Whether the driver is told about the pod.", ({ spec }) => spec?.podInfoOnMount ?? false, "boolean"),
    column("StorageCapacity", "Whether the driver reports its capacity.", ({ spec }) => spec?.storageCapacity ?? false, "boolean"),
    column(
      "TokenRequests",
      "Audiences of the tokens the driver gets.",
      ({ spec }) => (spec?.tokenRequests ?? []).map(({ audience }) => audience).join(",") || UNSET,
    ),
    column(
      "RequiresRepublish",
      "Whether volumes are published again and again.",
      ({ spec }) => spec?.requiresRepublish ?? false,
      "boolean",
    ),
    column("Modes", "Lives of volumes that the driver supports.", ({ spec }) => (spec?.volumeLifecycleModes ?? []).join(",") || "<none>"),
    ageColumn,
  ],
});
