import type { ComponentStatus } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";
import { column, nameColumn } from "../printing.ts";
import { conditionOf } from "../conditions.ts";

export const ComponentStatusKind = defineKind<ComponentStatus>({
  group: "",
  version: "v1",
  kind: "ComponentStatus",
  plural: "componentstatuses",
  shortNames: ["cs"],
  scope: "Cluster",
  typeName: "io.k8s.api.core.v1.ComponentStatus",
  verbs: ["get", "list"],
  deprecated: { since: "1.19" },
  columns: [
    nameColumn,
    column("Status", "Status of the component conditions", (component) => {
      const { status } = healthy(component) ?? {};
      return status === "True" ? "Healthy" : status === "False" ? "Unhealthy" : "Unknown";
    }),
    column("Message", "Message of the component conditions", (component) => healthy(component)?.message ?? ""),
    column("Error", "Error of the component conditions", (component) => healthy(component)?.error ?? ""),
  ],
});

function healthy({ conditions }: ComponentStatus) {
  return conditionOf(conditions, "Healthy");
}
