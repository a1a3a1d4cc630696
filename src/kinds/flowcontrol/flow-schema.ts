import type { FlowSchema } from "#machinery/api/flowcontrol-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE } from "../printing.ts";
import { conditionOf } from "../conditions.ts";

export const FlowSchemaKind = defineKind<FlowSchema>({
  group: "flowcontrol.apiserver.k8s.io",
  version: "v1",
  kind: "FlowSchema",
  plural: "flowschemas",
  scope: "Cluster",
  typeName: "io.k8s.api.flowcontrol.v1.FlowSchema",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("PriorityLevel", "The priority level of matching requests.", ({ spec }) => spec?.priorityLevelConfiguration?.name ?? ""),
    column("MatchingPrecedence", "Among matching schemas, the lowest number wins.", ({ spec }) => spec?.matchingPrecedence ?? 0),
    column("DistinguisherMethod", "What makes two requests one flow.", ({ spec }) => spec?.distinguisherMethod?.type ?? NONE),
    ageColumn,
    column(
      "MissingPL",
      "references a broken or non-existent PriorityLevelConfiguration",
      ({ status }) => conditionOf(status?.conditions, "Dangling")?.status ?? "?",
    ),
  ],
});
