import type { EndpointSlice } from "#machinery/api/discovery-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, firstThree, nameColumn, UNSET } from "../printing.ts";

export const EndpointSliceKind = defineKind<EndpointSlice>({
  group: "discovery.k8s.io",
  version: "v1",
  kind: "EndpointSlice",
  plural: "endpointslices",
  scope: "Namespaced",
  typeName: "io.k8s.api.discovery.v1.EndpointSlice",
  columns: [
    nameColumn,
    column("AddressType", "Kind of addresses in this slice.", ({ addressType }) => addressType),
    column(
      "Ports",
      "Ports of every endpoint in this slice.",
      ({ ports = [] }) => firstThree(ports.map(({ port, name }) => (port === undefined ? (name ?? "*") : String(port)))) || UNSET,
    ),
    column(
      "Endpoints",
      "Addresses of the endpoints.",
      ({ endpoints = [] }) => firstThree(endpoints.flatMap(({ addresses }) => addresses ?? [])) || UNSET,
    ),
    ageColumn,
  ],
});
