import type { ClusterRoleBinding } from "#machinery/api/rbac-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn, wideColumn } from "../printing.ts";
import { subjectsText } from "./subjects.ts";
import { defaultBinding, validateBinding } from "./rbac-rules.ts";
import { immutable } from "../validation.ts";

export const ClusterRoleBindingKind = defineKind<ClusterRoleBinding>({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "ClusterRoleBinding",
  plural: "clusterrolebindings",
  scope: "Cluster",
  typeName: "io.k8s.api.rbac.v1.ClusterRoleBinding",
  columns: [
    nameColumn,
    column("Role", "The role it grants.", ({ roleRef }) => `${roleRef?.kind ?? ""}/${roleRef?.name ?? ""}`),
    ageColumn,
    wideColumn("Users", "Users in the clusterRoleBinding", ({ subjects }) => subjectsText(subjects, "User")),
    wideColumn("Groups", "Groups in the clusterRoleBinding", ({ subjects }) => subjectsText(subjects, "Group")),
    wideColumn("ServiceAccounts", "ServiceAccounts in the clusterRoleBinding", ({ subjects }) => subjectsText(subjects, "ServiceAccount")),
  ],
  strategy: {
    createOnUpdate: true,
    nameRule: "path",
    default: defaultBinding,
    validate: (binding) => validateBinding(binding, ["ClusterRole"], false),
    validateUpdate: (next, previous) =>
      immutable(next.roleRef, previous.roleRef, "roleRef").map((error) => ({ ...error, detail: "cannot change roleRef" }) as typeof error),
  },
});
