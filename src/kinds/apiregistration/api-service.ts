import type { APIService } from "#machinery/api/apiregistration-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn } from "../printing.ts";
import { conditionOf } from "../conditions.ts";

export const APIServiceKind = defineKind<APIService>({
  group: "apiregistration.k8s.io",
  version: "v1",
  kind: "APIService",
  plural: "apiservices",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
  storagePrefix: "/registry/apiregistration.k8s.io/apiservices",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Service", "The reference to the service that hosts this API endpoint.", ({ spec }) =>
      spec?.service === undefined ? "Local" : `${spec.service.namespace ?? ""}/${spec.service.name ?? ""}`,
    ),
    column("Available", "Whether this service is available.", availableText),
    ageColumn,
  ],
});

function availableText({ status }: APIService): string {
  const available = conditionOf(status?.conditions, "Available");
  if (available === undefined) return "Unknown";
  return available.status === "True" ? "True" : `${available.status} (${available.reason ?? ""})`;
}
