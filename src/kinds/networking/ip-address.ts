import type { IPAddress } from "#machinery/api/networking-v1.ts";
import { defineKind } from "../kind.ts";

export const IPAddressKind = defineKind<IPAddress>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "IPAddress",
  plural: "ipaddresses",
  shortNames: ["ip"],
  scope: "Cluster",
  typeName: "io.k8s.api.networking.v1.IPAddress",
});
