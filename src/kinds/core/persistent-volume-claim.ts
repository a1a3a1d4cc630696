import type { PersistentVolumeClaim } from "#machinery/api/core-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { accessModesText, ageColumn, column, nameColumn, UNSET, wideColumn } from "../printing.ts";

export const PersistentVolumeClaimKind = defineKind<PersistentVolumeClaim>({
  group: "",
  version: "v1",
  kind: "PersistentVolumeClaim",
  plural: "persistentvolumeclaims",
  shortNames: ["pvc"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.PersistentVolumeClaim",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Status", "Whether the claim is bound.", ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined ? (status?.phase ?? "") : "Terminating",
    ),
    column("Volume", "The volume it is bound to.", ({ spec }) => spec?.volumeName ?? ""),
    column("Capacity", "Size of that volume.", ({ spec, status }) => (isBound(spec) ? String(status?.capacity?.["storage"] ?? "0") : "")),
    column("Access Modes", "Ways that volume can be mounted.", ({ spec, status }) =>
      isBound(spec) ? accessModesText(status?.accessModes) : "",
    ),
    column("StorageClass", "StorageClass of the pvc", storageClassText),
    column("VolumeAttributesClass", "VolumeAttributesClass of the pvc", ({ spec }) => spec?.volumeAttributesClassName ?? UNSET),
    ageColumn,
    wideColumn("VolumeMode", "Whether it asks for a file system or a block device.", ({ spec }) => spec?.volumeMode ?? UNSET),
  ],
});

function isBound(spec: PersistentVolumeClaim["spec"] | undefined): boolean {
  return (spec?.volumeName ?? "") !== "";
}

function storageClassText({ metadata, spec }: PersistentVolumeClaim): string {
  return metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec?.storageClassName ?? "";
}
