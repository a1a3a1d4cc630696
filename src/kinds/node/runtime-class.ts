import type { RuntimeClass } from "#machinery/api/node-v1.ts";
import { defineKind } from "../kind.ts";

export const RuntimeClassKind = defineKind<RuntimeClass>({
  group: "node.k8s.io",
  version: "v1",
  kind: "RuntimeClass",
  plural: "runtimeclasses",
  scope: "Cluster",
  typeName: "io.k8s.api.node.v1.RuntimeClass",
});
