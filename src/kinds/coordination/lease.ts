import type { Lease } from "#machinery/api/coordination-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";

export const LeaseKind = defineKind<Lease>({
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  scope: "Namespaced",
  typeName: "io.k8s.api.coordination.v1.Lease",
  columns: [nameColumn, column("Holder", "Who holds the lease.", ({ spec }) => spec?.holderIdentity ?? ""), ageColumn],
});
