import type { CSIStorageCapacity } from "#machinery/api/storage-v1.ts";
import { defineKind } from "../kind.ts";
import { column, nameColumn } from "../printing.ts";

export const CSIStorageCapacityKind = defineKind<CSIStorageCapacity>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSIStorageCapacity",
  plural: "csistoragecapacities",
  scope: "Namespaced",
  typeName: "io.k8s.api.storage.v1.CSIStorageCapacity",
  columns: [
    nameColumn,
    column("StorageClassName", "The class whose capacity this is.", ({ storageClassName }) => storageClassName),
    column("Capacity", "Free space.", ({ capacity }) => (capacity === undefined ? "<unset>" : String(capacity))),
  ],
});
