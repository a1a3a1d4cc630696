import type { Namespace } from "#machinery/api/core-v1.ts";
import { ALL_VERBS, defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";

export const NamespaceKind = defineKind<Namespace>({
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  shortNames: ["ns"],
  scope: "Cluster",
  typeName: "io.k8s.api.core.v1.Namespace",
  verbs: ALL_VERBS.filter((verb) => verb !== "deletecollection"),
  subresources: [{ name: "finalize", verbs: ["update"] }, STATUS],
  columns: [nameColumn, column("Status", "The status of the namespace", ({ status }) => status?.phase ?? ""), ageColumn],
});
