import type { Secret } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";

export const SecretKind = defineKind<Secret>({
  group: "",
  version: "v1",
  kind: "Secret",
  plural: "secrets",
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.Secret",
});
