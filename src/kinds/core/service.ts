import type { Service } from "#machinery/api/core-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const ServiceKind = defineKind<Service>({
  group: "",
  version: "v1",
  kind: "Service",
  plural: "services",
  shortNames: ["svc"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.Service",
  storagePrefix: "/registry/services/specs",
  subresources: [
    {
      name: "proxy",
      verbs: ["create", "delete", "get", "patch", "update"],
      kind: { group: "", version: "v1", kind: "ServiceProxyOptions" },
    },
    STATUS,
  ],
});
