import type { RoleBinding } from "#machinery/api/rbac-v1.ts";
import { defineKind } from "../kind.ts";

export const RoleBindingKind = defineKind<RoleBinding>({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "RoleBinding",
  plural: "rolebindings",
  scope: "Namespaced",
  typeName: "io.k8s.api.rbac.v1.RoleBinding",
});
