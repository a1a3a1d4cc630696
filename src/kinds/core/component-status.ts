import type { ComponentStatus } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";

export const ComponentStatusKind = defineKind<ComponentStatus>({
  group: "",
  version: "v1",
  kind: "ComponentStatus",
  plural: "componentstatuses",
  shortNames: ["cs"],
  scope: "Cluster",
  typeName: "io.k8s.api.core.v1.ComponentStatus",
  verbs: ["get", "list"],
});
