import type { CSIStorageCapacity } from "#machinery/api/storage-v1.ts";
import { isDns1123Subdomain } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { column, nameColumn } from "../printing.ts";
import { immutable, requiredName, validateLabelSelector } from "../validation.ts";
import { validateQuantity } from "../core/resources.ts";

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
  strategy: {
    unconditionalUpdate: false,
    validate: ({ storageClassName, capacity, maximumVolumeSize, nodeTopology }) => [
      ...requiredName(isDns1123Subdomain, storageClassName, "storageClassName"),
      ...(capacity === undefined ? [] : validateQuantity("storage", capacity, "capacity")),
      ...(maximumVolumeSize === undefined ? [] : validateQuantity("storage", maximumVolumeSize, "maximumVolumeSize")),
      ...validateLabelSelector(nodeTopology, "nodeTopology"),
    ],
    validateUpdate: (next, previous) => [
      ...immutable(next.nodeTopology, previous.nodeTopology, "nodeTopology"),
      ...immutable(next.storageClassName, previous.storageClassName, "storageClassName"),
    ],
  },
});
