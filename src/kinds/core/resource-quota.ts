import type { ResourceQuota } from "#machinery/api/core-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const ResourceQuotaKind = defineKind<ResourceQuota>({
  group: "",
  version: "v1",
  kind: "ResourceQuota",
  plural: "resourcequotas",
  shortNames: ["quota"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.ResourceQuota",
  subresources: [STATUS],
});
