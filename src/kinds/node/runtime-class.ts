import type { RuntimeClass } from "#machinery/api/node-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";

export const RuntimeClassKind = defineKind<RuntimeClass>({
  group: "node.k8s.io",
  version: "v1",
  kind: "RuntimeClass",
  plural: "runtimeclasses",
  scope: "Cluster",
  typeName: "io.k8s.api.node.v1.RuntimeClass",
  columns: [nameColumn, column("Handler", "The runtime configuration it stands for.", ({ handler }) => handler), ageColumn],
});
