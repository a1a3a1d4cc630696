import type { ClusterRole } from "#machinery/api/rbac-v1.ts";
import { defineKind } from "../kind.ts";
import { createdAtColumn, nameColumn } from "../printing.ts";

export const ClusterRoleKind = defineKind<ClusterRole>({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "ClusterRole",
  plural: "clusterroles",
  scope: "Cluster",
  typeName: "io.k8s.api.rbac.v1.ClusterRole",
  columns: [nameColumn, createdAtColumn],
});
