import type { VolumeAttributesClass } from "#machinery/api/storage-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";

export const VolumeAttributesClassKind = defineKind<VolumeAttributesClass>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "VolumeAttributesClass",
  plural: "volumeattributesclasses",
  shortNames: ["vac"],
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.VolumeAttributesClass",
  columns: [nameColumn, column("DriverName", "The driver the attributes are for.", ({ driverName }) => driverName), ageColumn],
});
