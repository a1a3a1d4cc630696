import type { ResourceClaim } from "#machinery/api/resource-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const ResourceClaimKind = defineKind<ResourceClaim>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "ResourceClaim",
  plural: "resourceclaims",
  scope: "Namespaced",
  typeName: "io.k8s.api.resource.v1.ResourceClaim",
  subresources: [STATUS],
});
