import type { Service, ServiceSpec } from "#machinery/api/core-v1.ts";
import type { Entropy } from "#base/entropy.ts";
import { invalidField, type FieldError } from "#machinery/field-error.ts";
import type { KubeObject } from "#machinery/object.ts";
import { internalError, invalid } from "#machinery/status.ts";
import { isHeadless, needsClusterIp, needsNodePort } from "#kinds/core/service-rules.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import type { IpFamily } from "#kinds/ip.ts";
import type { Objects } from "../objects.ts";
import type { StorageHooks, Taken } from "../storage-hooks.ts";
import { type IpRange, parseIpRange, pickFree, type PortRange, staticPorts } from "./ranges.ts";
import { withoutTypeLeftovers } from "./type-change.ts";

export interface AllocatorOptions {
  /** One per IP family; the first is the family of Services that ask for none. */
  readonly serviceCidrs: readonly string[];
  readonly nodePorts: PortRange;
}

export interface AllocatorDeps {
  readonly objects: Objects;
  readonly entropy: Entropy;
}

/** What is in use: by Services that exist and by writes under way. */
interface Usage {
  readonly ips: ReadonlySet<string>;
  readonly ports: ReadonlySet<string>;
}

/**
 * Hands out cluster IPs and node ports.
 *
 * What is taken is what existing Services have, read from the cache each time it has changed, plus what writes under way have claimed:
 * there is no second record that could drift, and deleting a Service or changing its type frees by itself.
 */
export function createServiceAllocator({ objects, entropy }: AllocatorDeps, options: AllocatorOptions): StorageHooks<Service> {
  const ranges = options.serviceCidrs.map(parseIpRange);
  const { nodePorts } = options;
  const claimed = new Map<string, number>();
  let known: { readonly services: readonly Service[]; readonly usage: Usage } | undefined;

  return {
    create: (service) => allocate(service, undefined),
    update: (next, previous) => allocate(withoutTypeLeftovers(next, previous), previous),
  };

  async function allocate(service: Service, previous: Service | undefined): Promise<Taken<Service>> {
    const usage = await currentUsage();
    const own = previous === undefined ? EMPTY : usageOf([previous]);
    const mine: string[] = [];
    const release = () => {
      for (const key of mine.splice(0)) {
        const count = (claimed.get(key) ?? 1) - 1;
        if (count <= 0) claimed.delete(key);
        else claimed.set(key, count);
      }
    };
    const claim = (key: string) => {
      mine.push(key);
      claimed.set(key, (claimed.get(key) ?? 0) + 1);
    };
    const ips: Pool = {
      isTaken: (ip) => !own.ips.has(ip) && (usage.ips.has(ip) || claimed.has(ip)),
      isOwn: (ip) => own.ips.has(ip),
      claim,
    };
    const ports: Pool = {
      isTaken: (port) => !own.ports.has(port) && (usage.ports.has(port) || claimed.has(`port ${port}`)),
      isOwn: (port) => own.ports.has(port),
      claim: (port) => claim(`port ${port}`),
    };
    try {
      const withIps = { ...service, spec: allocateIps(service, ips) };
      return { object: { ...withIps, spec: allocatePorts(withIps, ports) }, undo: release, done: release };
    } catch (cause) {
      release();
      throw cause;
    }
  }

  async function currentUsage(): Promise<Usage> {
    const services = await objects.list(ServiceKind);
    if (known?.services !== services) known = { services, usage: usageOf(services) };
    return known.usage;
  }

  function allocateIps(service: Service, pool: Pool): ServiceSpec {
    const { spec } = service;
    if (!needsClusterIp(spec)) return spec;
    const families = familiesOf(service, ranges);
    if (isHeadless(spec)) return { ...spec, ...families, clusterIP: "None", clusterIPs: ["None"] };
    const asked = spec.clusterIPs ?? [];
    const clusterIPs = families.ipFamilies.map((family, i) => {
      const ip = asked[i];
      const range = ranges.find((candidate) => candidate.family === family);
      if (range === undefined) throw refuse(service, invalidField(`spec.ipFamilies[${i}]`, family, "not configured on this cluster"));
      if (ip !== undefined && ip !== "") return claimAsked(service, asked, ip, range, pool);
      const offset = pickFree(
        range.size,
        range.staticSize,
        (candidate) => pool.isTaken(range.at(candidate)),
        () => entropy.fraction(),
      );
      if (offset === undefined) throw internalError(new Error("failed to allocate a serviceIP: range is full"));
      pool.claim(range.at(offset));
      return range.at(offset);
    });
    const [clusterIP = ""] = clusterIPs;
    return { ...spec, ...families, clusterIP, clusterIPs };
  }

  function claimAsked(service: Service, asked: readonly string[], ip: string, range: IpRange, pool: Pool): string {
    if (pool.isOwn(ip)) return ip;
    const because = !range.contains(ip)
      ? `the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${range.cidr}`
      : pool.isTaken(ip)
        ? "provided IP is already allocated"
        : undefined;
    if (because !== undefined) throw refuse(service, invalidField("spec.clusterIPs", asked, `failed to allocate IP ${ip}: ${because}`));
    pool.claim(ip);
    return ip;
  }

  function allocatePorts(service: Service, pool: Pool): ServiceSpec {
    let { spec } = service;
    if (needsNodePort(spec) && spec.ports !== undefined) {
      // Asked-for ports first, so that none of them is handed to another port of the same Service.
      const seen = new Set<number>();
      for (const [i, { nodePort = 0 }] of spec.ports.entries()) {
        // One number may serve several protocols of one Service.
        if (nodePort === 0 || seen.has(nodePort)) continue;
        claimPort(service, `spec.ports[${i}].nodePort`, nodePort, pool);
        seen.add(nodePort);
      }
      spec = { ...spec, ports: spec.ports.map((port) => (port.nodePort ? port : { ...port, nodePort: freePort(pool) })) };
    }
    const { healthCheckNodePort = 0, type, externalTrafficPolicy } = spec;
    if (type === "LoadBalancer" && externalTrafficPolicy === "Local") {
      if (healthCheckNodePort === 0) return { ...spec, healthCheckNodePort: freePort(pool) };
      claimPort(service, "spec.healthCheckNodePort", healthCheckNodePort, pool);
    }
    return spec;
  }

  function claimPort(service: Service, field: string, port: number, pool: Pool): void {
    if (pool.isOwn(String(port))) return;
    const { from, to } = nodePorts;
    if (port < from || port > to) {
      throw refuse(
        service,
        invalidField(field, port, `provided port is not in the valid range. The range of valid ports is ${from}-${to}`),
      );
    }
    if (pool.isTaken(String(port))) throw refuse(service, invalidField(field, port, "provided port is already allocated"));
    pool.claim(String(port));
  }

  function freePort(pool: Pool): number {
    const { from, to } = nodePorts;
    const offset = pickFree(
      to - from + 1,
      staticPorts(nodePorts),
      (candidate) => pool.isTaken(String(from + candidate)) || pool.isOwn(String(from + candidate)),
      () => entropy.fraction(),
    );
    if (offset === undefined) throw internalError(new Error("failed to allocate a nodePort: range is full"));
    pool.claim(String(from + offset));
    return from + offset;
  }
}

interface Pool {
  readonly isTaken: (key: string) => boolean;
  /** The Service has it already. */
  readonly isOwn: (key: string) => boolean;
  readonly claim: (key: string) => void;
}

const EMPTY: Usage = { ips: new Set(), ports: new Set() };

function usageOf(services: readonly Service[]): Usage {
  const ips = new Set<string>();
  const ports = new Set<string>();
  for (const { spec } of services) {
    for (const ip of spec.clusterIPs ?? []) if (ip !== "None" && ip !== "") ips.add(ip);
    for (const { nodePort = 0 } of spec.ports ?? []) if (nodePort !== 0) ports.add(String(nodePort));
    if ((spec.healthCheckNodePort ?? 0) !== 0) ports.add(String(spec.healthCheckNodePort));
  }
  return { ips, ports };
}

/** IP families by policy and by what the cluster has. */
function familiesOf(
  service: Service,
  ranges: readonly IpRange[],
): { readonly ipFamilies: readonly IpFamily[]; readonly ipFamilyPolicy: "SingleStack" | "PreferDualStack" | "RequireDualStack" } {
  const { spec } = service;
  const available = ranges.map(({ family }) => family);
  const asked = (spec.ipFamilies ?? []).filter((family): family is IpFamily => family === "IPv4" || family === "IPv6");
  const fromIps = (spec.clusterIPs ?? [])
    .filter((ip) => ip !== "None" && ip !== "")
    .map((ip): IpFamily => (ip.includes(":") ? "IPv6" : "IPv4"));
  const selectorless = isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0;
  const first: IpFamily = asked[0] ?? fromIps[0] ?? available[0] ?? "IPv4";
  const second: IpFamily = first === "IPv4" ? "IPv6" : "IPv4";
  const wantsTwo = asked.length === 2 || fromIps.length === 2;
  const policy = spec.ipFamilyPolicy ?? (selectorless ? "RequireDualStack" : wantsTwo ? "RequireDualStack" : "SingleStack");

  if (selectorless) return { ipFamilies: policy === "SingleStack" ? [first] : [first, second], ipFamilyPolicy: policy };
  const missing = asked.findIndex((family) => !available.includes(family));
  if (missing >= 0) throw refuse(service, invalidField(`spec.ipFamilies[${missing}]`, asked[missing], "not configured on this cluster"));
  if (policy === "RequireDualStack" && available.length < 2) {
    throw refuse(service, invalidField("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services"));
  }
  const both = policy !== "SingleStack" && available.includes(second);
  return { ipFamilies: both ? [first, second] : [first], ipFamilyPolicy: policy };
}

function refuse(service: Service & KubeObject, error: FieldError) {
  return invalid({ group: "", kind: "Service" }, service.metadata.name ?? "", [error]);
}
