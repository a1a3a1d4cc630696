import type { DeviceClass } from "#machinery/api/resource-v1.ts";
import { defineKind } from "../kind.ts";

export const DeviceClassKind = defineKind<DeviceClass>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "DeviceClass",
  plural: "deviceclasses",
  scope: "Cluster",
  typeName: "io.k8s.api.resource.v1.DeviceClass",
});
