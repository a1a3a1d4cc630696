import type { Binding } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";

export const BindingKind = defineKind<Binding>({
  group: "",
  version: "v1",
  kind: "Binding",
  plural: "bindings",
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.Binding",
  verbs: ["create"],
});
