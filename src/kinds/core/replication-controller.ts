import type { ReplicationController } from "#machinery/api/core-v1.ts";
import { defineKind, SCALE, STATUS } from "../kind.ts";

export const ReplicationControllerKind = defineKind<ReplicationController>({
  group: "",
  version: "v1",
  kind: "ReplicationController",
  plural: "replicationcontrollers",
  shortNames: ["rc"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.ReplicationController",
  storagePrefix: "/registry/controllers",
  subresources: [SCALE, STATUS],
});
