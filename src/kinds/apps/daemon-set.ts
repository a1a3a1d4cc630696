import type { DaemonSet } from "#machinery/api/apps-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const DaemonSetKind = defineKind<DaemonSet>({
  group: "apps",
  version: "v1",
  kind: "DaemonSet",
  plural: "daemonsets",
  shortNames: ["ds"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.apps.v1.DaemonSet",
  subresources: [STATUS],
});
