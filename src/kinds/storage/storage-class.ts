import type { StorageClass } from "#machinery/api/storage-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, UNSET } from "../printing.ts";

export const StorageClassKind = defineKind<StorageClass>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "StorageClass",
  plural: "storageclasses",
  shortNames: ["sc"],
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.StorageClass",
  columns: [
    { ...nameColumn, cell: ({ metadata }) => `${metadata.name ?? ""}${isDefaultClass(metadata) ? " (default)" : ""}` },
    column("Provisioner", "Who makes the volumes.", ({ provisioner }) => provisioner),
    column("ReclaimPolicy", "What happens to volumes whose claim is gone.", ({ reclaimPolicy }) => reclaimPolicy ?? "Delete"),
    column("VolumeBindingMode", "When volumes are bound.", ({ volumeBindingMode }) => volumeBindingMode ?? UNSET),
    column("AllowVolumeExpansion", "Whether volumes can grow.", ({ allowVolumeExpansion = false }) => allowVolumeExpansion),
    ageColumn,
  ],
});

/** Whether claims that name no class get this one. */
export function isDefaultClass({ annotations = {} }: StorageClass["metadata"]): boolean {
  return ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"].some(
    (key) => annotations[key] === "true",
  );
}
