import type { ClusterRole } from "#machinery/api/rbac-v1.ts";
import { requiredField } from "#machinery/field-error.ts";
import { defineKind } from "../kind.ts";
import { createdAtColumn, nameColumn } from "../printing.ts";
import { validateRules } from "./rbac-rules.ts";
import { validateLabelSelector } from "../validation.ts";

export const ClusterRoleKind = defineKind<ClusterRole>({
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "ClusterRole",
  plural: "clusterroles",
  scope: "Cluster",
  typeName: "io.k8s.api.rbac.v1.ClusterRole",
  columns: [nameColumn, createdAtColumn],
  strategy: {
    createOnUpdate: true,
    nameRule: "path",
    validate: ({ rules = [], aggregationRule }) => [
      ...validateRules(rules, false, "rules"),
      ...(aggregationRule === undefined
        ? []
        : (aggregationRule.clusterRoleSelectors ?? []).length === 0
          ? [
              requiredField(
                "aggregationRule.clusterRoleSelectors",
                "at least one clusterRoleSelector required if aggregationRule is non-nil",
              ),
            ]
          : (aggregationRule.clusterRoleSelectors ?? []).flatMap((selector, i) =>
              validateLabelSelector(selector, `aggregationRule.clusterRoleSelectors[${i}]`),
            )),
    ],
  },
});
