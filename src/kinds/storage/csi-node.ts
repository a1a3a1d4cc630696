import type { CSINode } from "#machinery/api/storage-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";

export const CSINodeKind = defineKind<CSINode>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSINode",
  plural: "csinodes",
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.CSINode",
  columns: [
    nameColumn,
    column(
      "Drivers",
      "Drivers indicates the number of CSI drivers registered on the node",
      ({ spec }) => spec?.drivers?.length ?? 0,
      "integer",
    ),
    ageColumn,
  ],
});
