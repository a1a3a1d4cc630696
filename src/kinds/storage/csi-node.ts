import type { CSINode } from "#machinery/api/storage-v1.ts";
import { defineKind } from "../kind.ts";

export const CSINodeKind = defineKind<CSINode>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSINode",
  plural: "csinodes",
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.CSINode",
});
