import type { IPAddress, ParentReference } from "#machinery/api/networking-v1.ts";
import { defineKind } from "../kind.ts";
import { column, nameColumn } from "../printing.ts";

export const IPAddressKind = defineKind<IPAddress>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "IPAddress",
  plural: "ipaddresses",
  shortNames: ["ip"],
  scope: "Cluster",
  typeName: "io.k8s.api.networking.v1.IPAddress",
  columns: [nameColumn, column("ParentRef", "The object that owns the address.", ({ spec }) => parentText(spec?.parentRef))],
});

/** `services/default/kubernetes` */
function parentText(parent: ParentReference | undefined): string {
  if (parent === undefined) return "";
  const { group = "", resource = "", namespace = "", name = "" } = parent;
  const type = group === "" ? resource : `${resource}.${group}`;
  return namespace === "" ? `${type}/${name}` : `${type}/${namespace}/${name}`;
}
