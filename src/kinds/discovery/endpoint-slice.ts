import type { EndpointSlice } from "#machinery/api/discovery-v1.ts";
import { defineKind } from "../kind.ts";

export const EndpointSliceKind = defineKind<EndpointSlice>({
  group: "discovery.k8s.io",
  version: "v1",
  kind: "EndpointSlice",
  plural: "endpointslices",
  scope: "Namespaced",
  typeName: "io.k8s.api.discovery.v1.EndpointSlice",
});
