import type { PriorityLevelConfiguration } from "#machinery/api/flowcontrol-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const PriorityLevelConfigurationKind = defineKind<PriorityLevelConfiguration>({
  group: "flowcontrol.apiserver.k8s.io",
  version: "v1",
  kind: "PriorityLevelConfiguration",
  plural: "prioritylevelconfigurations",
  scope: "Cluster",
  typeName: "io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
  subresources: [STATUS],
});
