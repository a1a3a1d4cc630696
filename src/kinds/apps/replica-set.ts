import type { ReplicaSet } from "#machinery/api/apps-v1.ts";
import { defineKind, SCALE, STATUS } from "../kind.ts";

export const ReplicaSetKind = defineKind<ReplicaSet>({
  group: "apps",
  version: "v1",
  kind: "ReplicaSet",
  plural: "replicasets",
  shortNames: ["rs"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.apps.v1.ReplicaSet",
  subresources: [SCALE, STATUS],
});
