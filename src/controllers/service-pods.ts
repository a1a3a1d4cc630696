import type { Informer } from "#client/contract.ts";
import type { Pod, Service, ServicePort } from "#machinery/api/core-v1.ts";
import { keyOf, type Stored } from "#machinery/object.ts";
import { matchesLabels, selectorFromMap } from "#machinery/selector.ts";
import { type Watch, watching } from "./define.ts";
import { isFinished } from "./pods.ts";

/** Whether the controllers make endpoints for this Service: without a selector they are made by hand. */
export function selectsPods({ spec }: Service): boolean {
  return spec.selector !== undefined && Object.keys(spec.selector).length > 0 && spec.type !== "ExternalName";
}

export const isHeadless = ({ spec }: Service): boolean => spec.clusterIP === "None";

export function podsOf(service: Stored<Service>, pods: Informer<Pod>): readonly Stored<Pod>[] {
  const selector = selectorFromMap(service.spec.selector);
  return pods.lister.list(service.metadata.namespace).filter((pod) => matchesLabels(selector, pod.metadata.labels));
}

/** Follows pods on behalf of the Services that select them, before or after the change. */
export function watchServicePods(pods: Informer<Pod>, services: Informer<Service>): Watch {
  return watching(pods, (event) => {
    const { object } = event;
    if (event.type === "updated" && sameForEndpoints(event.previous, object)) return [];
    const states = event.type === "updated" ? [event.previous, object] : [object];
    return services.lister
      .list(object.metadata.namespace)
      .filter((service) => selectsPods(service))
      .filter((service) => {
        const selector = selectorFromMap(service.spec.selector);
        return states.some(({ metadata }) => matchesLabels(selector, metadata.labels));
      })
      .map(keyOf);
  });
}

/** Status changes that no endpoint shows (restart counts, probe times) need no look. */
function sameForEndpoints(a: Stored<Pod>, b: Stored<Pod>): boolean {
  const ready = (pod: Pod) => pod.status?.conditions?.find(({ type }) => type === "Ready")?.status;
  return (
    a.status?.phase === b.status?.phase &&
    ready(a) === ready(b) &&
    a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
    a.spec.nodeName === b.spec.nodeName &&
    JSON.stringify(a.status?.podIPs) === JSON.stringify(b.status?.podIPs) &&
    JSON.stringify(a.metadata.labels) === JSON.stringify(b.metadata.labels)
  );
}

/** Pods that can be endpoints at all: they have an address and have not finished. */
export function canBeEndpoint(pod: Pod, terminatingToo: boolean): boolean {
  return !isFinished(pod) && addressesOf(pod).length > 0 && (terminatingToo || pod.metadata.deletionTimestamp === undefined);
}

export function addressesOf({ status }: Pod): readonly string[] {
  const all = (status?.podIPs ?? []).map(({ ip }) => ip).filter((ip) => ip !== "");
  return all.length > 0 ? all : status?.podIP === undefined || status.podIP === "" ? [] : [status.podIP];
}

export const isIPv6 = (address: string): boolean => address.includes(":");

/** The container port a Service port means in this pod; undefined where the pod has no port of that name. */
export function targetPortOf({ spec }: Pod, { targetPort, port, protocol = "TCP" }: ServicePort): number | undefined {
  if (targetPort === undefined || targetPort === 0) return port;
  if (typeof targetPort === "number") return targetPort;
  const containers = [...spec.containers, ...(spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always")];
  for (const container of containers) {
    for (const candidate of container.ports ?? []) {
      if (candidate.name === targetPort && (candidate.protocol ?? "TCP") === protocol) return candidate.containerPort;
    }
  }
  return undefined;
}

/** The pod's name in DNS below the Service, where it asks for one. */
export function hostnameFor(pod: Pod, service: Service): string | undefined {
  const { hostname, subdomain } = pod.spec;
  return hostname !== undefined && hostname !== "" && subdomain === service.metadata.name ? hostname : undefined;
}
