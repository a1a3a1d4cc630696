import type { ResourceSlice } from "#machinery/api/resource-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, UNSET } from "../printing.ts";

export const ResourceSliceKind = defineKind<ResourceSlice>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "ResourceSlice",
  plural: "resourceslices",
  scope: "Cluster",
  typeName: "io.k8s.api.resource.v1.ResourceSlice",
  columns: [
    nameColumn,
    column("Node", "The node whose devices these are.", ({ spec }) => spec?.nodeName ?? UNSET),
    column("Driver", "The driver of the devices.", ({ spec }) => spec?.driver ?? ""),
    column("Pool", "The pool the devices belong to.", ({ spec }) => spec?.pool?.name ?? ""),
    ageColumn,
  ],
});
