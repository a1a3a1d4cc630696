import type { ResourceQuota } from "#machinery/api/core-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";

export const ResourceQuotaKind = defineKind<ResourceQuota>({
  group: "",
  version: "v1",
  kind: "ResourceQuota",
  plural: "resourcequotas",
  shortNames: ["quota"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.ResourceQuota",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Request", "What containers may request, and do.", (quota) => usageText(quota, (resource) => !isLimit(resource))),
    column("Limit", "What containers may use at most, and do.", (quota) => usageText(quota, isLimit)),
    ageColumn,
  ],
});

function isLimit(resource: string): boolean {
  return resource.includes("limits");
}

/** `pods: 1/10, requests.cpu: 500m/2` */
function usageText({ status }: ResourceQuota, shown: (resource: string) => boolean): string {
  return Object.entries(status?.hard ?? {})
    .filter(([resource]) => shown(resource))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([resource, hard]) => `${resource}: ${status?.used?.[resource] ?? "0"}/${hard}`)
    .join(", ");
}
