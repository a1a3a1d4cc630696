import { ServiceKind } from "#kinds/core/service.ts";
import type { Pod, Service } from "#machinery/api/core-v1.ts";
import type { Endpoint, EndpointPort, EndpointSlice } from "#machinery/api/discovery-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { NOTHING_TO_DO, type Plan } from "../action.ts";
import { controllerRef } from "../owners.ts";
import { isReady } from "../pods.ts";
import { addressesOf, canBeEndpoint, hostnameFor, isHeadless, isIPv6, selectsPods, targetPortOf } from "../service-pods.ts";
import { type EndpointGroup, HEADLESS, reconcileSlices, SERVICE_NAME, SLICE_MANAGED_BY } from "./reconcile.ts";

export interface ObservedService {
  readonly service: Stored<Service>;
  readonly pods: readonly Stored<Pod>[];
  /** Slices of this Service that this controller manages. */
  readonly slices: readonly Stored<EndpointSlice>[];
  /** Node name -> zone. */
  readonly zoneOf: (node: string) => string | undefined;
}

export const MANAGER = "endpointslice-controller.k8s.io";

export function planEndpointSlices({ service, pods, slices, zoneOf }: ObservedService): Plan {
  if (service.metadata.deletionTimestamp !== undefined) return NOTHING_TO_DO;
  const { name, namespace = "" } = service.metadata;
  const families = service.spec.ipFamilies?.filter((family) => family !== "") ?? [];
  const groups = selectsPods(service)
    ? (families.length === 0 ? (["IPv4"] as const) : families).flatMap((family) => groupsOf(service, pods, family, zoneOf))
    : [];
  const actions = reconcileSlices(groups, slices, {
    namespace,
    name,
    labels: {
      ...service.metadata.labels,
      [SERVICE_NAME]: name,
      [SLICE_MANAGED_BY]: MANAGER,
      ...(isHeadless(service) ? { [HEADLESS]: "" } : {}),
    },
    owner: controllerRef(ServiceKind, service),
  });
  return { actions };
}

/** Groups of one family. Without any endpoint there is one empty group, so that the Service has a slice to look at. */
function groupsOf(
  service: Stored<Service>,
  pods: readonly Stored<Pod>[],
  addressType: "IPv4" | "IPv6",
  zoneOf: (node: string) => string | undefined,
): readonly EndpointGroup[] {
  const groups = new Map<string, { ports: readonly EndpointPort[]; endpoints: Endpoint[] }>();
  for (const pod of pods) {
    if (!canBeEndpoint(pod, true)) continue;
    const addresses = addressesOf(pod).filter((address) => isIPv6(address) === (addressType === "IPv6"));
    if (addresses.length === 0) continue;
    const ports = portsOf(service, pod);
    if (ports.length === 0 && !(isHeadless(service) && (service.spec.ports ?? []).length === 0)) continue;
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    groups.set(key, group);
    group.endpoints.push(endpointOf(service, pod, addresses, zoneOf));
  }
  if (groups.size === 0) return [{ addressType, ports: [], endpoints: [] }];
  return [...groups.values()].map((group) => ({ addressType, ...group }));
}

function endpointOf(
  service: Stored<Service>,
  pod: Stored<Pod>,
  addresses: readonly string[],
  zoneOf: (node: string) => string | undefined,
): Endpoint {
  const serving = isReady(pod);
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const hostname = hostnameFor(pod, service);
  const { nodeName } = pod.spec;
  const zone = nodeName === undefined ? undefined : zoneOf(nodeName);
  const { name, namespace, uid } = pod.metadata;
  const hints = hintsFor(service, nodeName, zone);
  return {
    addresses,
    conditions: { ready, serving, terminating },
    ...(hostname === undefined ? {} : { hostname }),
    targetRef: { kind: "Pod", ...(namespace === undefined ? {} : { namespace }), name, uid },
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    ...(hints === undefined ? {} : { hints }),
  };
}

/** What `trafficDistribution` asks proxies to prefer. */
function hintsFor({ spec }: Service, node: string | undefined, zone: string | undefined): Endpoint["hints"] {
  switch (spec.trafficDistribution) {
    case "PreferClose":
    case "PreferSameZone":
      return zone === undefined ? undefined : { forZones: [{ name: zone }] };
    case "PreferSameNode":
      return node === undefined ? undefined : { ...(zone === undefined ? {} : { forZones: [{ name: zone }] }), forNodes: [{ name: node }] };
    case undefined:
    default:
      return undefined;
  }
}

function portsOf(service: Service, pod: Pod): readonly EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((servicePort): EndpointPort[] => {
    const port = targetPortOf(pod, servicePort);
    if (port === undefined) return [];
    const { name = "", protocol = "TCP", appProtocol } = servicePort;
    return [{ name, protocol, port, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}
