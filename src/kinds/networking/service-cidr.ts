import type { ServiceCIDR } from "#machinery/api/networking-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";

export const ServiceCIDRKind = defineKind<ServiceCIDR>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "ServiceCIDR",
  plural: "servicecidrs",
  scope: "Cluster",
  typeName: "io.k8s.api.networking.v1.ServiceCIDR",
  subresources: [STATUS],
  columns: [nameColumn, column("CIDRs", "Ranges that cluster IPs are taken from.", ({ spec }) => (spec?.cidrs ?? []).join(",")), ageColumn],
});
