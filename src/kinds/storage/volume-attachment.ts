import type { VolumeAttachment } from "#machinery/api/storage-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";

export const VolumeAttachmentKind = defineKind<VolumeAttachment>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "VolumeAttachment",
  plural: "volumeattachments",
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.VolumeAttachment",
  subresources: [STATUS],
  columns: [
    nameColumn,
    { ...column("Attacher", "The driver that attaches.", ({ spec }) => spec?.attacher ?? ""), format: "name" },
    column("PV", "The volume to attach.", ({ spec }) => spec?.source?.persistentVolumeName ?? ""),
    column("Node", "The node to attach it to.", ({ spec }) => spec?.nodeName ?? ""),
    column("Attached", "Whether it is attached.", ({ status }) => status?.attached ?? false, "boolean"),
    ageColumn,
  ],
});
