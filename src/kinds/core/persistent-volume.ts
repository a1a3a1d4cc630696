import type { PersistentVolume } from "#machinery/api/core-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const PersistentVolumeKind = defineKind<PersistentVolume>({
  group: "",
  version: "v1",
  kind: "PersistentVolume",
  plural: "persistentvolumes",
  shortNames: ["pv"],
  scope: "Cluster",
  typeName: "io.k8s.api.core.v1.PersistentVolume",
  subresources: [STATUS],
});
