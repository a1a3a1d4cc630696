import type { VolumeAttachment } from "#machinery/api/storage-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const VolumeAttachmentKind = defineKind<VolumeAttachment>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "VolumeAttachment",
  plural: "volumeattachments",
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.VolumeAttachment",
  subresources: [STATUS],
});
