import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import type { EndpointSlice } from "#machinery/api/discovery-v1.ts";
import { keyOf } from "#machinery/object.ts";
import { defineController, watching } from "../define.ts";
import { splitKey } from "../keys.ts";
import { podsOf, selectsPods, watchServicePods } from "../service-pods.ts";
import { MANAGER, planEndpointSlices } from "./plan.ts";
import { SERVICE_NAME, SLICE_MANAGED_BY } from "./reconcile.ts";

export const endpointSliceController = defineController({
  name: "endpointslice",
  component: "endpoint-slice-controller",
  connect({ informers }) {
    const services = informers.informer(ServiceKind);
    const pods = informers.informer(PodKind);
    const nodes = informers.informer(NodeKind);
    const slices = informers.informer(EndpointSliceKind, { indexes: { service: (slice) => serviceKeys(slice, MANAGER) } });
    return {
      watches: [
        watching(services, ({ object }) => [keyOf(object)]),
        watchServicePods(pods, services),
        watching(slices, ({ object }) => serviceKeys(object, MANAGER)),
        watching(nodes, () => []), // zones: looked up when an endpoint is written
      ],
      observe(key) {
        const service = services.lister.get(splitKey(key));
        if (service === undefined) return undefined; // its slices go with it, by the garbage collector
        const present = slices.lister.byIndex("service", key);
        if (!selectsPods(service) && present.length === 0) return undefined;
        return {
          service,
          pods: selectsPods(service) ? podsOf(service, pods) : [],
          slices: present,
          zoneOf: (name: string) => nodes.lister.get({ name })?.metadata.labels?.["topology.kubernetes.io/zone"],
        };
      },
    };
  },
  plan: planEndpointSlices,
});

/** Key of the Service a slice of this manager belongs to. */
export function serviceKeys({ metadata }: EndpointSlice, manager: string): readonly string[] {
  const service = metadata.labels?.[SERVICE_NAME];
  return service !== undefined && metadata.labels?.[SLICE_MANAGED_BY] === manager ? [`${metadata.namespace}/${service}`] : [];
}
