import type { ClusterRoleBinding } from "#machinery/api/rbac-v1.ts";
import { defineKind } from "../kind.ts";

export const ClusterRoleBindingKind = defineKind<ClusterRoleBinding>({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "ClusterRoleBinding",
  plural: "clusterrolebindings",
  scope: "Cluster",
  typeName: "io.k8s.api.rbac.v1.ClusterRoleBinding",
});
