import type { ResourceSlice } from "#machinery/api/resource-v1.ts";
import { defineKind } from "../kind.ts";

export const ResourceSliceKind = defineKind<ResourceSlice>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "ResourceSlice",
  plural: "resourceslices",
  scope: "Cluster",
  typeName: "io.k8s.api.resource.v1.ResourceSlice",
});
