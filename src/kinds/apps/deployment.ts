import type { Deployment } from "#machinery/api/apps-v1.ts";
import { defineKind, SCALE, STATUS } from "../kind.ts";

export const DeploymentKind = defineKind<Deployment>({
  group: "apps",
  version: "v1",
  kind: "Deployment",
  plural: "deployments",
  shortNames: ["deploy"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.apps.v1.Deployment",
  subresources: [SCALE, STATUS],
});
