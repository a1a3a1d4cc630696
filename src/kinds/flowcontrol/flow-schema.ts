import type { FlowSchema } from "#machinery/api/flowcontrol-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const FlowSchemaKind = defineKind<FlowSchema>({
  group: "flowcontrol.apiserver.k8s.io",
  version: "v1",
  kind: "FlowSchema",
  plural: "flowschemas",
  scope: "Cluster",
  typeName: "io.k8s.api.flowcontrol.v1.FlowSchema",
  subresources: [STATUS],
});
