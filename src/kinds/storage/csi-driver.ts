import type { CSIDriver } from "#machinery/api/storage-v1.ts";
import { defineKind } from "../kind.ts";

export const CSIDriverKind = defineKind<CSIDriver>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSIDriver",
  plural: "csidrivers",
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.CSIDriver",
});
