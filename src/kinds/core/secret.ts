import type { Secret } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";

export const SecretKind = defineKind<Secret>({
  group: "",
  version: "v1",
  kind: "Secret",
  plural: "secrets",
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.Secret",
  columns: [
    nameColumn,
    column("Type", "What the secret is for.", ({ type = "" }) => type),
    column("Data", "Number of its keys.", ({ data = {} }) => Object.keys(data).length),
    ageColumn,
  ],
});
