import { EndpointsKind } from "#kinds/core/endpoints.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { keyOf } from "#machinery/object.ts";
import { defineController, watching } from "../define.ts";
import { splitKey } from "../keys.ts";
import { podsOf, watchServicePods } from "../service-pods.ts";
import { MANAGED_BY, planEndpoints } from "./plan.ts";

export const endpointsController = defineController({
  name: "endpoints",
  component: "endpoint-controller",
  connect({ informers }) {
    const services = informers.informer(ServiceKind);
    const pods = informers.informer(PodKind);
    const endpoints = informers.informer(EndpointsKind);
    return {
      watches: [
        watching(services, ({ object }) => [keyOf(object)]),
        watchServicePods(pods, services),
        // Endpoints without Service may be somebody's own; only those we made are looked at.
        watching(endpoints, ({ object }) =>
          services.lister.get(object.metadata) !== undefined || object.metadata.labels?.[MANAGED_BY] !== undefined ? [keyOf(object)] : [],
        ),
      ],
      observe(key) {
        const { name, namespace = "" } = splitKey(key);
        const ref = { name, namespace };
        const service = services.lister.get(ref);
        return { name, namespace, service, endpoints: endpoints.lister.get(ref), pods: service === undefined ? [] : podsOf(service, pods) };
      },
    };
  },
  plan: planEndpoints,
});
