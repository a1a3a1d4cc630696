import type { Endpoints } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, firstThree, nameColumn, NONE } from "../printing.ts";

export const EndpointsKind = defineKind<Endpoints>({
  group: "",
  version: "v1",
  kind: "Endpoints",
  plural: "endpoints",
  shortNames: ["ep"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.Endpoints",
  storagePrefix: "/registry/services/endpoints",
  columns: [nameColumn, column("Endpoints", "Addresses and ports that serve.", endpointsText), ageColumn],
});

function endpointsText({ subsets = [] }: Endpoints): string {
  if (subsets.length === 0) return NONE;
  return firstThree(
    subsets.flatMap(({ addresses = [], ports = [] }) =>
      ports.length === 0 ? addresses.map(({ ip }) => ip) : ports.flatMap(({ port }) => addresses.map(({ ip }) => hostPort(ip, port))),
    ),
  );
}

function hostPort(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}
