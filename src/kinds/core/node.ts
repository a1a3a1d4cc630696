import type { Node } from "#machinery/api/core-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const NodeKind = defineKind<Node>({
  group: "",
  version: "v1",
  kind: "Node",
  plural: "nodes",
  shortNames: ["no"],
  scope: "Cluster",
  typeName: "io.k8s.api.core.v1.Node",
  storagePrefix: "/registry/minions",
  subresources: [
    { name: "proxy", verbs: ["create", "delete", "get", "patch", "update"], kind: { group: "", version: "v1", kind: "NodeProxyOptions" } },
    STATUS,
  ],
});
