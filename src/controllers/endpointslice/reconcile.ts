import { isDeepStrictEqual } from "node:util";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import type { Endpoint, EndpointPort, EndpointSlice } from "#machinery/api/discovery-v1.ts";
import type { OwnerReference } from "#machinery/api/meta-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import type { Action } from "../action.ts";

/** Endpoints that share ports and address family: they fill one or more slices. */
export interface EndpointGroup {
  readonly addressType: "IPv4" | "IPv6";
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export interface SliceTemplate {
  readonly namespace: string;
  /** Name of the Service; slices are called `<name>-<suffix>`. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner: OwnerReference;
}

export const SERVICE_NAME = "kubernetes.io/service-name";
export const SLICE_MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
export const HEADLESS = "service.kubernetes.io/headless";
export const MAX_ENDPOINTS_PER_SLICE = 100;

/**
 * Actions that bring `existing` to `groups` with few writes.
 *
 * R1. Every endpoint stands in exactly one slice with its ports and address type; no slice has more than `maxPerSlice`.
 * R2. An endpoint that need not move stays in its slice; new ones fill slices that are written anyway, then the fullest with room.
 * R3. A slice that would become empty is reused for endpoints without room before it is deleted.
 * R4. When nothing is to be said, nothing is written.
 */
export function reconcileSlices(
  groups: readonly EndpointGroup[],
  existing: readonly Stored<EndpointSlice>[],
  template: SliceTemplate,
  maxPerSlice: number = MAX_ENDPOINTS_PER_SLICE,
): readonly Action[] {
  const keyed = new Map(groups.map((group) => [groupKey(group.addressType, group.ports), group]));
  const slices = new Map<string, Stored<EndpointSlice>[]>();
  for (const slice of existing) {
    const key = groupKey(slice.addressType, slice.ports ?? []);
    slices.set(key, [...(slices.get(key) ?? []), slice]);
  }
  const spare: Stored<EndpointSlice>[] = [];
  const creates: EndpointSlice[] = [];
  const updates: Action[] = [];
  for (const [key, present] of slices) if (!keyed.has(key)) spare.push(...present);
  for (const [key, group] of keyed) {
    const result = fill(group, slices.get(key) ?? [], template, maxPerSlice);
    updates.push(...result.updates);
    creates.push(...result.creates);
    spare.push(...result.emptied);
  }
  const deletes: Action[] = [];
  const unused: EndpointSlice[] = [];
  for (const slice of creates) {
    const index = spare.findIndex(({ addressType }) => addressType === slice.addressType); // an address type never changes
    const reused = index === -1 ? undefined : spare.splice(index, 1)[0];
    if (reused === undefined) unused.push(slice);
    else updates.push(replace(reused, slice.endpoints ?? [], slice.ports ?? [], template));
  }
  for (const slice of spare) deletes.push({ do: "delete", kind: EndpointSliceKind, object: refOf(slice), because: "no endpoints" });
  return [...unused.map((object): Action => ({ do: "create", kind: EndpointSliceKind, object })), ...updates, ...deletes];
}

function fill(
  group: EndpointGroup,
  present: readonly Stored<EndpointSlice>[],
  template: SliceTemplate,
  maxPerSlice: number,
): { readonly updates: readonly Action[]; readonly creates: readonly EndpointSlice[]; readonly emptied: readonly Stored<EndpointSlice>[] } {
  const missing = new Map(group.endpoints.map((endpoint) => [endpointKey(endpoint), endpoint]));
  const states = present.map((slice) => {
    const kept: Endpoint[] = [];
    let changed = !sameMeta(slice, template);
    for (const endpoint of slice.endpoints ?? []) {
      const wanted = missing.get(endpointKey(endpoint));
      if (wanted === undefined || kept.length >= maxPerSlice) {
        changed = true;
        continue;
      }
      missing.delete(endpointKey(endpoint));
      kept.push(wanted);
      if (!isDeepStrictEqual(wanted, endpoint)) changed = true;
    }
    return { slice, kept, changed };
  });
  const rest = [...missing.values()];
  const byUse = states.toSorted((a, b) => Number(b.changed) - Number(a.changed) || b.kept.length - a.kept.length); // R2
  for (const state of byUse) {
    const room = maxPerSlice - state.kept.length;
    if (rest.length === 0) break;
    if (room <= 0 || state.kept.length === 0) continue;
    state.kept.push(...rest.splice(0, room));
    state.changed = true;
  }
  const creates: EndpointSlice[] = [];
  const emptied = states.filter(({ kept }) => kept.length === 0 && group.endpoints.length > 0);
  const updates = states
    .filter((state) => state.changed && !emptied.includes(state))
    .map(({ slice, kept }) => replace(slice, kept, group.ports, template));
  while (rest.length > 0) creates.push(sliceFrom(group, rest.splice(0, maxPerSlice), template));
  if (group.endpoints.length === 0 && present.length === 0) creates.push(sliceFrom(group, [], template));
  const surplus = group.endpoints.length === 0 ? states.slice(1).map(({ slice }) => slice) : emptied.map(({ slice }) => slice);
  const surplusUids = new Set(surplus.map(({ metadata }) => metadata.uid));
  return {
    updates: updates.filter((action) => action.do !== "update" || !surplusUids.has(action.object.metadata.uid ?? "")),
    creates,
    emptied: surplus,
  };
}

function sliceFrom({ addressType, ports }: EndpointGroup, endpoints: readonly Endpoint[], template: SliceTemplate): EndpointSlice {
  const { namespace, name, labels, annotations, owner } = template;
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels,
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [owner],
    },
    addressType,
    endpoints,
    ports,
  };
}

function replace(
  slice: Stored<EndpointSlice>,
  endpoints: readonly Endpoint[],
  ports: readonly EndpointPort[],
  template: SliceTemplate,
): Action {
  const { annotations: _, ...metadata } = slice.metadata;
  const { labels, annotations, owner } = template;
  const object: EndpointSlice = {
    ...slice,
    metadata: { ...metadata, labels, ...(annotations === undefined ? {} : { annotations }), ownerReferences: [owner] },
    endpoints,
    ports,
  };
  return { do: "update", kind: EndpointSliceKind, object };
}

function sameMeta({ metadata }: EndpointSlice, { labels, annotations, owner }: SliceTemplate): boolean {
  return (
    isDeepStrictEqual({ ...metadata.labels }, { ...labels }) &&
    isDeepStrictEqual({ ...metadata.annotations }, { ...annotations }) &&
    (metadata.ownerReferences ?? []).some(({ uid }) => uid === owner.uid)
  );
}

/** What must be equal for endpoints to share a slice. */
function groupKey(addressType: string, ports: readonly EndpointPort[]): string {
  const texts = ports.map(({ name = "", protocol = "TCP", port, appProtocol }) => JSON.stringify([name, protocol, port, appProtocol]));
  return `${addressType} ${texts.sort().join(" ")}`;
}

function endpointKey({ addresses, targetRef, hostname, nodeName }: Endpoint): string {
  return targetRef?.uid === undefined ? JSON.stringify([addresses[0], hostname, nodeName]) : `${targetRef.uid} ${addresses[0]}`;
}
