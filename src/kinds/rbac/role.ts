import type { Role } from "#machinery/api/rbac-v1.ts";
import { defineKind } from "../kind.ts";
import { createdAtColumn, nameColumn } from "../printing.ts";
import { validateRules } from "./rbac-rules.ts";

export const RoleKind = defineKind<Role>({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "Role",
  plural: "roles",
  scope: "Namespaced",
  typeName: "io.k8s.api.rbac.v1.Role",
  columns: [nameColumn, createdAtColumn],
  strategy: {
    createOnUpdate: true,
    nameRule: "path",
    validate: ({ rules = [] }) => validateRules(rules, true, "rules"),
  },
});
