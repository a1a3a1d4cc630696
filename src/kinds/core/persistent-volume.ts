import type { PersistentVolume } from "#machinery/api/core-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { accessModesText, ageColumn, column, nameColumn, UNSET, wideColumn } from "../printing.ts";

export const PersistentVolumeKind = defineKind<PersistentVolume>({
  group: "",
  version: "v1",
  kind: "PersistentVolume",
  plural: "persistentvolumes",
  shortNames: ["pv"],
  scope: "Cluster",
  typeName: "io.k8s.api.core.v1.PersistentVolume",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Capacity", "Size of the volume.", ({ spec }) => String(spec?.capacity?.["storage"] ?? "0")),
    column("Access Modes", "Ways the volume can be mounted.", ({ spec }) => accessModesText(spec?.accessModes)),
    column("Reclaim Policy", "What happens to the volume when its claim is gone.", ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? ""),
    column("Status", "Whether the volume is available, bound or released.", ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined ? (status?.phase ?? "") : "Terminating",
    ),
    column("Claim", "The claim it is bound to.", ({ spec }) =>
      spec?.claimRef === undefined ? "" : `${spec.claimRef.namespace ?? ""}/${spec.claimRef.name ?? ""}`,
    ),
    column("StorageClass", "StorageClass of the pv", storageClassText),
    column("VolumeAttributesClass", "VolumeAttributesClass of the pv", ({ spec }) => spec?.volumeAttributesClassName ?? UNSET),
    column("Reason", "Why it is in this phase, as one word.", ({ status }) => status?.reason ?? ""),
    ageColumn,
    wideColumn("VolumeMode", "Whether it holds a file system or is a block device.", ({ spec }) => spec?.volumeMode ?? UNSET),
  ],
});

function storageClassText({ metadata, spec }: PersistentVolume): string {
  return metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec?.storageClassName ?? "";
}
