import type { ControllerRevision } from "#machinery/api/apps-v1.ts";
import { defineKind } from "../kind.ts";

export const ControllerRevisionKind = defineKind<ControllerRevision>({
  group: "apps",
  version: "v1",
  kind: "ControllerRevision",
  plural: "controllerrevisions",
  scope: "Namespaced",
  typeName: "io.k8s.api.apps.v1.ControllerRevision",
});
