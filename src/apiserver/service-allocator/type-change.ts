import { isDeepStrictEqual } from "node:util";
import type { Service, ServiceSpec } from "#machinery/api/core-v1.ts";
import { isExternallyAccessible, needsClusterIp, needsNodePort } from "#kinds/core/service-rules.ts";

/**
 * Pure: what belonged to the old type and makes no sense for the new one goes, where the client has left it as it was. What the client
 * has changed stays, for validation to speak about.
 */
export function withoutTypeLeftovers(next: Service, previous: Service): Service {
  const before = previous.spec;
  let spec: ServiceSpec = next.spec;
  if (needsClusterIp(before) && !needsClusterIp(spec) && isDeepStrictEqual(before.clusterIPs ?? [], spec.clusterIPs ?? [])) {
    const { clusterIP: _ip, clusterIPs: _ips, ipFamilies: _families, ipFamilyPolicy: _policy, ...rest } = spec;
    spec = rest;
  }
  if (needsNodePort(before) && !needsNodePort(spec) && isDeepStrictEqual(nodePorts(before), nodePorts(spec))) {
    spec = { ...spec, ...(spec.ports === undefined ? {} : { ports: spec.ports.map(({ nodePort: _port, ...port }) => port) }) };
  }
  if (isLocalBalancer(before) && !isLocalBalancer(spec) && before.healthCheckNodePort === spec.healthCheckNodePort) {
    const { healthCheckNodePort: _, ...rest } = spec;
    spec = rest;
  }
  if (before.type === "LoadBalancer" && spec.type !== "LoadBalancer") {
    const { allocateLoadBalancerNodePorts, loadBalancerClass, ...rest } = spec;
    spec = {
      ...rest,
      ...(allocateLoadBalancerNodePorts === before.allocateLoadBalancerNodePorts || allocateLoadBalancerNodePorts === undefined
        ? {}
        : { allocateLoadBalancerNodePorts }),
      ...(loadBalancerClass === before.loadBalancerClass || loadBalancerClass === undefined ? {} : { loadBalancerClass }),
    };
  }
  if (isExternallyAccessible(before) && !isExternallyAccessible(spec) && before.externalTrafficPolicy === spec.externalTrafficPolicy) {
    const { externalTrafficPolicy: _, ...rest } = spec;
    spec = rest;
  }
  return spec === next.spec ? next : { ...next, spec };
}

function nodePorts({ ports }: ServiceSpec): readonly number[] {
  return (ports ?? []).map(({ nodePort = 0 }) => nodePort);
}

function isLocalBalancer({ type, externalTrafficPolicy }: ServiceSpec): boolean {
  return type === "LoadBalancer" && externalTrafficPolicy === "Local";
}
