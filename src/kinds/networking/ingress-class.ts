import type { IngressClass } from "#machinery/api/networking-v1.ts";
import { defineKind } from "../kind.ts";

export const IngressClassKind = defineKind<IngressClass>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "IngressClass",
  plural: "ingressclasses",
  scope: "Cluster",
  typeName: "io.k8s.api.networking.v1.IngressClass",
});
