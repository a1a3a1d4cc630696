import type { Service } from "#machinery/api/core-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, labelsText, nameColumn, NONE, UNKNOWN, wideColumn } from "../printing.ts";
import { keepStatus } from "../strategy.ts";
import { defaultService, keepAllocations, validateService, validateServiceUpdate, withClusterIps } from "./service-rules.ts";

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
  columns: [
    nameColumn,
    column("Type", "How the service is exposed.", ({ spec }) => spec?.type ?? ""),
    column("Cluster-IP", "Address of the service inside the cluster.", ({ spec }) => spec?.clusterIPs?.[0] || spec?.clusterIP || NONE),
    column("External-IP", "Addresses of the service outside the cluster.", externalText),
    column("Port(s)", "Ports that the service exposes.", portsText),
    ageColumn,
    wideColumn("Selector", "Selects the pods that serve.", ({ spec }) => labelsText(spec?.selector)),
  ],
  strategy: {
    createOnUpdate: true,
    nameRule: "label",
    default: defaultService,
    prepareForCreate: (service) => withClusterIps({ ...service, status: { loadBalancer: {} } }),
    prepareForUpdate: (next, previous) => keepAllocations(withClusterIps(keepStatus(next, previous), previous), previous),
    validate: validateService,
    validateUpdate: validateServiceUpdate,
    fields: ({ spec }) => ({ "spec.clusterIP": spec?.clusterIP ?? "", "spec.type": spec?.type ?? "" }),
  },
});

function externalText({ spec, status }: Service): string {
  const external = spec?.externalIPs ?? [];
  switch (spec?.type) {
    case "ClusterIP":
    case "NodePort":
      return external.join(",") || NONE;
    case "LoadBalancer": {
      const balancers = (status?.loadBalancer?.ingress ?? [])
        .map(({ ip, hostname }) => ip || hostname || "")
        .filter((address) => address !== "");
      return [...[...new Set(balancers)].sort(), ...external].join(",") || "<pending>";
    }
    case "ExternalName":
      return spec.externalName ?? "";
    case undefined:
    default:
      return UNKNOWN;
  }
}

/** `80/TCP,443:30443/TCP` */
function portsText({ spec }: Service): string {
  const ports = (spec?.ports ?? []).map(({ port, nodePort = 0, protocol = "" }) =>
    nodePort > 0 ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return ports.join(",") || NONE;
}
