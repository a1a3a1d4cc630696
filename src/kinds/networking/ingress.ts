import type { Ingress } from "#machinery/api/networking-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const IngressKind = defineKind<Ingress>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "Ingress",
  plural: "ingresses",
  shortNames: ["ing"],
  scope: "Namespaced",
  typeName: "io.k8s.api.networking.v1.Ingress",
  storagePrefix: "/registry/ingress",
  subresources: [STATUS],
});
