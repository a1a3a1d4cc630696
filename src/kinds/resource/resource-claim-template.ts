import type { ResourceClaimTemplate } from "#machinery/api/resource-v1.ts";
import { defineKind } from "../kind.ts";

export const ResourceClaimTemplateKind = defineKind<ResourceClaimTemplate>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "ResourceClaimTemplate",
  plural: "resourceclaimtemplates",
  scope: "Namespaced",
  typeName: "io.k8s.api.resource.v1.ResourceClaimTemplate",
});
