import type { ServiceAccount } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";

export const ServiceAccountKind = defineKind<ServiceAccount>({
  group: "",
  version: "v1",
  kind: "ServiceAccount",
  plural: "serviceaccounts",
  shortNames: ["sa"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.ServiceAccount",
  subresources: [{ name: "token", verbs: ["create"], kind: { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" } }],
  columns: [nameColumn, column("Secrets", "Number of secrets that its pods may use.", ({ secrets = [] }) => secrets.length), ageColumn],
});
