import type { Endpoints } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";

export const EndpointsKind = defineKind<Endpoints>({
  group: "",
  version: "v1",
  kind: "Endpoints",
  plural: "endpoints",
  shortNames: ["ep"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.Endpoints",
  storagePrefix: "/registry/services/endpoints",
});
