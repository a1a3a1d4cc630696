import { EndpointsKind } from "#kinds/core/endpoints.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import { keyOf } from "#machinery/object.ts";
import { defineController, watching } from "../define.ts";
import { serviceKeys } from "../endpointslice/controller.ts";
import { splitKey } from "../keys.ts";
import { MIRROR_MANAGER, planMirroring } from "./plan.ts";

export const endpointSliceMirroringController = defineController({
  name: "endpointslicemirroring",
  component: "endpoint-slice-mirroring-controller",
  connect({ informers }) {
    const services = informers.informer(ServiceKind);
    const endpoints = informers.informer(EndpointsKind);
    const slices = informers.informer(EndpointSliceKind, { indexes: { service: (slice) => serviceKeys(slice, MIRROR_MANAGER) } });
    return {
      watches: [
        watching(endpoints, ({ object }) => [keyOf(object)]),
        watching(services, ({ object }) => [keyOf(object)]),
        watching(slices, ({ object }) => serviceKeys(object, MIRROR_MANAGER)),
      ],
      observe(key) {
        const ref = splitKey(key);
        return {
          service: services.lister.get(ref),
          endpoints: endpoints.lister.get(ref),
          slices: slices.lister.byIndex("service", key),
        };
      },
    };
  },
  plan: planMirroring,
});
