import type { Ingress, IngressRule } from "#machinery/api/networking-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, firstThree, nameColumn, NONE } from "../printing.ts";

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
  columns: [
    nameColumn,
    column(
      "Class",
      "The name of the IngressClass resource that should be used for additional configuration",
      ({ metadata, spec }) => spec?.ingressClassName ?? metadata.annotations?.["kubernetes.io/ingress.class"] ?? NONE,
    ),
    column("Hosts", "Hosts that incoming requests are matched against before the ingress rule", ({ spec }) => hostsText(spec?.rules ?? [])),
    column("Address", "Address is a list containing ingress points for the load-balancer", ({ status }) =>
      [...new Set((status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || ""))]
        .filter((address) => address !== "")
        .sort()
        .join(","),
    ),
    column("Ports", "Ports of TLS configurations that open", ({ spec }) => ((spec?.tls?.length ?? 0) > 0 ? "80, 443" : "80")),
    ageColumn,
  ],
});

function hostsText(rules: readonly IngressRule[]): string {
  return firstThree(rules.map(({ host = "" }) => host).filter((host) => host !== "")) || "*";
}
