import { isDeepStrictEqual } from "node:util";
import { EndpointsKind } from "#kinds/core/endpoints.ts";
import type { EndpointAddress, EndpointPort, Endpoints, EndpointSubset, Pod, Service } from "#machinery/api/core-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import { NOTHING_TO_DO, type Plan } from "../action.ts";
import { isReady } from "../pods.ts";
import { addressesOf, canBeEndpoint, hostnameFor, isHeadless, isIPv6, selectsPods, targetPortOf } from "../service-pods.ts";

export interface ObservedEndpoints {
  readonly name: string;
  readonly namespace: string;
  /** undefined: deleted. */
  readonly service: Stored<Service> | undefined;
  readonly endpoints: Stored<Endpoints> | undefined;
  readonly pods: readonly Stored<Pod>[];
}

export const MANAGED_BY = "endpoints.kubernetes.io/managed-by";
const OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity";
const HEADLESS = "service.kubernetes.io/headless";
const MAX_ADDRESSES = 1000;

export function planEndpoints({ name, namespace, service, endpoints, pods }: ObservedEndpoints): Plan {
  if (service === undefined) {
    if (endpoints === undefined) return NOTHING_TO_DO;
    return { actions: [{ do: "delete", kind: EndpointsKind, object: refOf(endpoints), because: "its Service was deleted" }] };
  }
  if (!selectsPods(service) || service.metadata.deletionTimestamp !== undefined) return NOTHING_TO_DO;
  const all = subsetsOf(service, pods);
  const { subsets, truncated } = truncate(all);
  const labels = {
    ...service.metadata.labels,
    ...(isHeadless(service) ? { [HEADLESS]: "" } : {}),
    [MANAGED_BY]: "endpoint-controller",
  };
  const { [OVER_CAPACITY]: _, ...otherAnnotations } = endpoints?.metadata.annotations ?? {};
  const annotations = { ...otherAnnotations, ...(truncated ? { [OVER_CAPACITY]: "truncated" } : {}) };
  if (
    endpoints !== undefined &&
    isDeepStrictEqual(canonical(endpoints.subsets ?? []), subsets) &&
    isDeepStrictEqual({ ...endpoints.metadata.labels }, labels) &&
    isDeepStrictEqual({ ...endpoints.metadata.annotations }, annotations)
  ) {
    return NOTHING_TO_DO;
  }
  const content = {
    apiVersion: "v1",
    kind: "Endpoints",
    ...(subsets.length === 0 ? {} : { subsets }),
  } as const;
  const extra = { labels, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) };
  if (endpoints === undefined) {
    const object: Endpoints = { ...content, metadata: { name, namespace, ...extra } };
    return { actions: [{ do: "create", kind: EndpointsKind, object, orExists: true }] };
  }
  const { annotations: _old, ...metadata } = endpoints.metadata;
  return { actions: [{ do: "update", kind: EndpointsKind, object: { ...content, metadata: { ...metadata, ...extra } } }] };
}

/** One subset per set of ports, as upstream packs them: addresses that share ports share a subset. */
export function subsetsOf(service: Stored<Service>, pods: readonly Stored<Pod>[]): readonly EndpointSubset[] {
  const publishAll = service.spec.publishNotReadyAddresses === true;
  const v6 = service.spec.ipFamilies?.[0] === "IPv6";
  const groups = new Map<string, { ports: readonly EndpointPort[]; ready: EndpointAddress[]; notReady: EndpointAddress[] }>();
  for (const pod of pods) {
    if (!canBeEndpoint(pod, publishAll)) continue;
    const ip = addressesOf(pod).find((address) => isIPv6(address) === v6);
    if (ip === undefined) continue;
    const ports = portsOf(service, pod);
    if (ports === undefined) continue;
    const hostname = hostnameFor(pod, service);
    const { nodeName } = pod.spec;
    const { name, namespace, uid } = pod.metadata;
    const address: EndpointAddress = {
      ip,
      ...(hostname === undefined ? {} : { hostname }),
      ...(nodeName === undefined ? {} : { nodeName }),
      targetRef: { kind: "Pod", ...(namespace === undefined ? {} : { namespace }), name, uid },
    };
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, ready: [], notReady: [] };
    groups.set(key, group);
    (publishAll || isReady(pod) ? group.ready : group.notReady).push(address);
  }
  return canonical([...groups.values()].map(({ ports, ready, notReady }) => ({ addresses: ready, notReadyAddresses: notReady, ports })));
}

/** undefined: the pod serves none of the Service's ports. */
function portsOf(service: Service, pod: Pod): readonly EndpointPort[] | undefined {
  const wanted = service.spec.ports ?? [];
  if (wanted.length === 0) return isHeadless(service) ? [] : undefined;
  const ports = wanted.flatMap((servicePort): EndpointPort[] => {
    const port = targetPortOf(pod, servicePort);
    if (port === undefined) return [];
    const { name, protocol = "TCP", appProtocol } = servicePort;
    return [
      { ...(name === undefined || name === "" ? {} : { name }), port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) },
    ];
  });
  return ports.length === 0 ? undefined : ports;
}

/** Sorted, without empty lists, so that equal contents compare equal. */
function canonical(subsets: readonly EndpointSubset[]): readonly EndpointSubset[] {
  return subsets
    .map(({ addresses = [], notReadyAddresses = [], ports = [] }) => ({
      ...(addresses.length === 0 ? {} : { addresses: addresses.toSorted(byAddress) }),
      ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses: notReadyAddresses.toSorted(byAddress) }),
      ...(ports.length === 0 ? {} : { ports: ports.toSorted(byPort) }),
    }))
    .toSorted((a, b) => compare(JSON.stringify(a.ports ?? []), JSON.stringify(b.ports ?? [])));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const byAddress = (a: EndpointAddress, b: EndpointAddress): number =>
  compare(a.ip, b.ip) || compare(a.targetRef?.uid ?? "", b.targetRef?.uid ?? "");
const byPort = (a: EndpointPort, b: EndpointPort): number => compare(a.name ?? "", b.name ?? "") || a.port - b.port;

/** At most 1000 addresses, ready ones first. */
function truncate(subsets: readonly EndpointSubset[]): { readonly subsets: readonly EndpointSubset[]; readonly truncated: boolean } {
  const total = subsets.reduce((sum, s) => sum + (s.addresses?.length ?? 0) + (s.notReadyAddresses?.length ?? 0), 0);
  if (total <= MAX_ADDRESSES) return { subsets, truncated: false };
  let room = MAX_ADDRESSES;
  const take = (addresses: readonly EndpointAddress[] = []) => {
    const taken = addresses.slice(0, room);
    room -= taken.length;
    return taken;
  };
  const ready = subsets.map(({ addresses }) => take(addresses));
  const notReady = subsets.map(({ notReadyAddresses }) => take(notReadyAddresses));
  const cut = subsets.map(({ ports }, index) => ({
    addresses: ready[index] ?? [],
    notReadyAddresses: notReady[index] ?? [],
    ...(ports === undefined ? {} : { ports }),
  }));
  return { subsets: canonical(cut.filter((s) => s.addresses.length + s.notReadyAddresses.length > 0)), truncated: true };
}
