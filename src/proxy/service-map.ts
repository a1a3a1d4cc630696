import type { Service } from "#machinery/api/core-v1.ts";
import type { EndpointSlice } from "#machinery/api/discovery-v1.ts";

export type Protocol = "TCP" | "UDP" | "SCTP";
export type Family = "IPv4" | "IPv6";

/** One backend of one service port. */
export interface Backend {
  readonly ip: string;
  readonly port: number;
  /** On this node. */
  readonly local: boolean;
}

/**
 * Everything a data plane needs to know of one port of one Service, for one IP family, with all policies decided:
 * which backends each kind of traffic may use. All back ends render this and nothing else.
 */
export interface ServicePort {
  /** `default/kubia:http`, or `default/kubia` for an unnamed port. Unique per family. */
  readonly id: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly clusterIP: string;
  /** 0: none. */
  readonly nodePort: number;
  /** Traffic to them follows the external policy. */
  readonly externalIPs: readonly string[];
  /** As externalIPs, but only for clients in `sourceRanges`. */
  readonly loadBalancerIPs: readonly string[];
  /** Client networks that may use the load balancer addresses; empty: all. */
  readonly sourceRanges: readonly string[];
  /** 0: no affinity. */
  readonly affinitySeconds: number;
  /** For traffic to the cluster IP (internal policy applied). */
  readonly internal: readonly Backend[];
  /** For traffic from outside the cluster (external policy applied). */
  readonly external: readonly Backend[];
  /** All usable backends whatever the policy: for traffic from pods and this node to external addresses. */
  readonly cluster: readonly Backend[];
  readonly internalPolicy: "Cluster" | "Local";
  readonly externalPolicy: "Cluster" | "Local";
}

export interface Self {
  readonly nodeName: string;
  readonly family: Family;
}

/** Ports of a Service that the proxy serves; none for headless and ExternalName Services and for those of another proxy. */
export function servicePorts(service: Service, slices: readonly EndpointSlice[], self: Self): ServicePort[] {
  const { spec, metadata, status } = service;
  const clusterIP = (spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP])).find((ip) => familyOf(ip) === self.family);
  if (spec.type === "ExternalName" || clusterIP === undefined || clusterIP === "None") return [];
  if (metadata.labels?.["service.kubernetes.io/service-proxy-name"] !== undefined) return [];

  const balancers = (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, ipMode }) => (ip === undefined || ipMode === "Proxy" ? [] : [ip]));
  const ofFamily = (ips: readonly string[]) => [...new Set(ips)].filter((ip) => familyOf(ip) === self.family).sort();
  const loadBalancerIPs = spec.type === "LoadBalancer" ? ofFamily(balancers) : [];
  const externalIPs = ofFamily(spec.externalIPs ?? []).filter((ip) => !loadBalancerIPs.includes(ip));
  const internalPolicy = spec.internalTrafficPolicy ?? "Cluster";
  const externalPolicy = spec.externalTrafficPolicy ?? "Cluster";

  return (spec.ports ?? []).map((port) => {
    const protocol = port.protocol ?? "TCP";
    const endpoints = backendsOf(slices, port.name ?? "", protocol, self);
    const cluster = usable(endpoints);
    const local = usable(endpoints.filter((e) => e.local));
    return {
      id: `${metadata.namespace}/${metadata.name}${port.name === undefined || port.name === "" ? "" : `:${port.name}`}`,
      protocol,
      port: port.port,
      clusterIP,
      nodePort: port.nodePort ?? 0,
      externalIPs,
      loadBalancerIPs,
      sourceRanges: (spec.loadBalancerSourceRanges ?? []).map((range) => range.trim()).filter((range) => familyOf(range) === self.family),
      affinitySeconds: spec.sessionAffinity === "ClientIP" ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) : 0,
      internal: internalPolicy === "Local" ? local : cluster,
      external: externalPolicy === "Local" ? local : cluster,
      cluster,
      internalPolicy,
      externalPolicy,
    };
  });
}

/** What a load balancer may ask this node about a Service: whether traffic sent here finds a pod here. */
export interface HealthCheck {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  readonly localEndpoints: number;
}

/** The health check that a Service of type LoadBalancer with policy Local has on every node. Counts ready endpoints, of both families. */
export function healthCheck(service: Service, slices: readonly EndpointSlice[], nodeName: string): HealthCheck | undefined {
  const { spec, metadata } = service;
  const port = spec.healthCheckNodePort ?? 0;
  if (spec.type !== "LoadBalancer" || spec.externalTrafficPolicy !== "Local" || port === 0) return undefined;
  const local = slices.flatMap((slice) => slice.endpoints ?? []).filter((e) => e.nodeName === nodeName && (e.conditions?.ready ?? true));
  const targets = new Set(local.map((endpoint) => endpoint.targetRef?.uid ?? endpoint.addresses[0]));
  return { namespace: metadata.namespace ?? "", name: metadata.name ?? "", port, localEndpoints: targets.size };
}

interface Candidate extends Backend {
  readonly ready: boolean;
  readonly servingWhileTerminating: boolean;
}

/** Ready backends, or, when there is none, those that still serve while they terminate (KEP-1669). */
function usable(candidates: readonly Candidate[]): Backend[] {
  const ready = candidates.filter((c) => c.ready);
  return (ready.length > 0 ? ready : candidates.filter((c) => c.servingWhileTerminating)).map(({ ip, port, local }) => ({
    ip,
    port,
    local,
  }));
}

function backendsOf(slices: readonly EndpointSlice[], portName: string, protocol: Protocol, self: Self): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.addressType !== self.family) continue;
    const port = (slice.ports ?? []).find((p) => (p.name ?? "") === portName && (p.protocol ?? "TCP") === protocol)?.port;
    if (port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const ip = endpoint.addresses[0];
      if (ip === undefined) continue;
      const conditions = endpoint.conditions ?? {};
      const ready = conditions.ready ?? true;
      const candidate: Candidate = {
        ip,
        port,
        local: endpoint.nodeName === self.nodeName,
        ready,
        servingWhileTerminating: (conditions.serving ?? ready) && (conditions.terminating ?? false),
      };
      const key = `${ip} ${port}`;
      if (found.get(key)?.ready !== true) found.set(key, candidate); // two slices may show one endpoint while it moves
    }
  }
  return [...found.values()].sort((a, b) => (a.ip === b.ip ? a.port - b.port : a.ip < b.ip ? -1 : 1));
}

/** Family of an address or CIDR. */
export function familyOf(ip: string): Family {
  return ip.includes(":") ? "IPv6" : "IPv4";
}
