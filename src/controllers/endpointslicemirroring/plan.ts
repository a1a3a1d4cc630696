import { EndpointsKind } from "#kinds/core/endpoints.ts";
import type { EndpointAddress, Endpoints, Service } from "#machinery/api/core-v1.ts";
import type { Endpoint, EndpointSlice } from "#machinery/api/discovery-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import type { Plan } from "../action.ts";
import { controllerRef } from "../owners.ts";
import { isIPv6 } from "../service-pods.ts";
import { type EndpointGroup, HEADLESS, reconcileSlices, SERVICE_NAME, SLICE_MANAGED_BY } from "../endpointslice/reconcile.ts";

export interface ObservedMirror {
  readonly service: Stored<Service> | undefined;
  readonly endpoints: Stored<Endpoints> | undefined;
  /** Slices made by this controller for the Endpoints of this name. */
  readonly slices: readonly Stored<EndpointSlice>[];
}

export const MIRROR_MANAGER = "endpointslicemirroring-controller.k8s.io";
const SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror";
const LEADER = "control-plane.alpha.kubernetes.io/leader";
const OWN_LABELS: ReadonlySet<string> = new Set([SERVICE_NAME, SLICE_MANAGED_BY, HEADLESS]);
const UNMIRRORED_ANNOTATIONS: ReadonlySet<string> = new Set([
  "endpoints.kubernetes.io/last-change-trigger-time",
  "kubectl.kubernetes.io/last-applied-configuration",
]);
const MAX_PER_SUBSET = 1000;

/** Endpoints made by hand for a Service without selector, shown as slices so that one data path reads them all. */
export function planMirroring({ service, endpoints, slices }: ObservedMirror): Plan {
  if (endpoints === undefined || service === undefined || !isMirrored(service, endpoints)) {
    return { actions: slices.map((slice) => ({ do: "delete", kind: EndpointSliceKind, object: refOf(slice), because: "not mirrored" })) };
  }
  const { name, namespace = "" } = endpoints.metadata;
  const labels = Object.fromEntries(Object.entries(endpoints.metadata.labels ?? {}).filter(([key]) => !OWN_LABELS.has(key)));
  const annotations = Object.fromEntries(
    Object.entries(endpoints.metadata.annotations ?? {}).filter(([key]) => !UNMIRRORED_ANNOTATIONS.has(key)),
  );
  return {
    actions: reconcileSlices(groupsOf(endpoints), slices, {
      namespace,
      name,
      labels: { ...labels, [SERVICE_NAME]: name, [SLICE_MANAGED_BY]: MIRROR_MANAGER },
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      owner: controllerRef(EndpointsKind, endpoints),
    }),
  };
}

function isMirrored(service: Service, { metadata }: Endpoints): boolean {
  const hasSelector = service.spec.selector !== undefined && Object.keys(service.spec.selector).length > 0;
  return !hasSelector && metadata.labels?.[SKIP_MIRROR] !== "true" && metadata.annotations?.[LEADER] === undefined;
}

function groupsOf({ subsets = [] }: Endpoints): readonly EndpointGroup[] {
  const groups = new Map<string, { addressType: "IPv4" | "IPv6"; ports: EndpointGroup["ports"]; endpoints: Endpoint[] }>();
  for (const subset of subsets) {
    const ports = (subset.ports ?? []).map(({ name = "", ...port }) => ({ name, protocol: "TCP" as const, ...port }));
    const all = [
      ...(subset.addresses ?? []).map((address) => ({ address, ready: true })),
      ...(subset.notReadyAddresses ?? []).map((address) => ({ address, ready: false })),
    ].slice(0, MAX_PER_SUBSET);
    for (const { address, ready } of all) {
      const addressType = isIPv6(address.ip) ? "IPv6" : "IPv4";
      const key = JSON.stringify([addressType, ports]);
      const group = groups.get(key) ?? { addressType, ports, endpoints: [] };
      groups.set(key, group);
      group.endpoints.push(endpointFrom(address, ready));
    }
  }
  return [...groups.values()];
}

function endpointFrom({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined ? {} : { hostname }),
    ...(targetRef === undefined ? {} : { targetRef }),
    ...(nodeName === undefined ? {} : { nodeName }),
  };
}
