import type { StorageClass } from "#machinery/api/storage-v1.ts";
import { defineKind } from "../kind.ts";

export const StorageClassKind = defineKind<StorageClass>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "StorageClass",
  plural: "storageclasses",
  shortNames: ["sc"],
  scope: "Cluster",
  typeName: "io.k8s.api.storage.v1.StorageClass",
});
