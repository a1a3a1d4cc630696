import type { CSIStorageCapacity } from "#machinery/api/storage-v1.ts";
import { defineKind } from "../kind.ts";

export const CSIStorageCapacityKind = defineKind<CSIStorageCapacity>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSIStorageCapacity",
  plural: "csistoragecapacities",
  scope: "Namespaced",
  typeName: "io.k8s.api.storage.v1.CSIStorageCapacity",
});
