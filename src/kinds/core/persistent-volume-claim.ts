import type { PersistentVolumeClaim } from "#machinery/api/core-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const PersistentVolumeClaimKind = defineKind<PersistentVolumeClaim>({
  group: "",
  version: "v1",
  kind: "PersistentVolumeClaim",
  plural: "persistentvolumeclaims",
  shortNames: ["pvc"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.PersistentVolumeClaim",
  subresources: [STATUS],
});
