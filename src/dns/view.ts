import type { InformerFactory } from "#client/contract.ts";
import { NamespaceKind } from "#kinds/core/namespace.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import type { ZoneView } from "./zone.ts";

/** The zone as the informers know it; `synced` resolves when all of them have listed. */
export function createZoneView(informers: InformerFactory, domain: string): ZoneView & { readonly synced: Promise<void> } {
  const namespaces = informers.informer(NamespaceKind);
  const services = informers.informer(ServiceKind, { indexes: { clusterIP: (service) => service.spec.clusterIPs ?? [] } });
  const slices = informers.informer(EndpointSliceKind, {
    indexes: {
      service: (slice) => [`${slice.metadata.namespace}/${slice.metadata.labels?.["kubernetes.io/service-name"] ?? ""}`],
      address: (slice) => (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses),
    },
  });
  return {
    domain,
    synced: Promise.all([namespaces.synced, services.synced, slices.synced]).then(() => undefined),
    namespaceExists: (name) => namespaces.lister.get({ name }) !== undefined,
    service: (namespace, name) => services.lister.get({ name, namespace }),
    slices: (namespace, service) => slices.lister.byIndex("service", `${namespace}/${service}`),
    serviceByClusterIP: (ip) => services.lister.byIndex("clusterIP", ip)[0],
    slicesByAddress: (ip) =>
      slices.lister.byIndex("address", ip).filter((slice) => {
        const name = slice.metadata.labels?.["kubernetes.io/service-name"] ?? "";
        return services.lister.get({ name, namespace: slice.metadata.namespace })?.spec.clusterIP === "None";
      }),
  };
}
