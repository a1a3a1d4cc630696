import type { Service, ServicePort, ServiceSpec } from "#machinery/api/core-v1.ts";
import { duplicateField, type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { isDns1123Label, isDns1123Subdomain, isLabelKey } from "#machinery/names.ts";
import { parseCidr, parseIp, validateIp } from "../ip.ts";
import { type Errors, follows, isMissing, optionalEnum, requiredEnum, same, validateLabels } from "../validation.ts";
import { portNumber, portNumberOrName, PROTOCOLS } from "./container-rules.ts";

export const AFFINITY_TIMEOUT_SECONDS = 10_800;
const MAX_AFFINITY_SECONDS = 86_400;
const TYPES: readonly string[] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const POLICIES: readonly string[] = ["Cluster", "Local"];
const KUBELET_PORT = 10250;

export function isHeadless({ clusterIPs, clusterIP }: ServiceSpec): boolean {
  return (clusterIPs?.[0] ?? clusterIP) === "None";
}

/** Whether traffic from outside the cluster can reach it. */
export function isExternallyAccessible(spec: ServiceSpec): boolean {
  if (spec.type === "LoadBalancer" || spec.type === "NodePort") return true;
  return spec.type === "ClusterIP" && (spec.externalIPs?.length ?? 0) > 0;
}

export function needsNodePort({ type, allocateLoadBalancerNodePorts }: ServiceSpec): boolean {
  return type === "NodePort" || (type === "LoadBalancer" && allocateLoadBalancerNodePorts !== false);
}

export function needsClusterIp({ type }: ServiceSpec): boolean {
  return type === "ClusterIP" || type === "NodePort" || type === "LoadBalancer";
}

function needsHealthCheckPort({ type, externalTrafficPolicy }: ServiceSpec): boolean {
  return type === "LoadBalancer" && externalTrafficPolicy === "Local";
}

export function defaultService(service: Service): Service {
  const spec: ServiceSpec = service.spec ?? {};
  const type = spec.type || "ClusterIP";
  const sessionAffinity = spec.sessionAffinity || "None";
  const { sessionAffinityConfig, ...rest } = spec;
  const typed: ServiceSpec = {
    ...rest,
    type,
    sessionAffinity,
    ...(spec.ports === undefined ? {} : { ports: spec.ports.map(defaultPort) }),
    ...(sessionAffinity === "ClientIP"
      ? {
          sessionAffinityConfig: {
            ...sessionAffinityConfig,
            clientIP: {
              ...sessionAffinityConfig?.clientIP,
              timeoutSeconds: sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_TIMEOUT_SECONDS,
            },
          },
        }
      : {}),
    ...(type === "ExternalName" ? {} : { internalTrafficPolicy: spec.internalTrafficPolicy ?? "Cluster" }),
    ...(type === "LoadBalancer" ? { allocateLoadBalancerNodePorts: spec.allocateLoadBalancerNodePorts ?? true } : {}),
  };
  const external = isExternallyAccessible(typed) && isMissing(typed.externalTrafficPolicy);
  return { ...service, spec: external ? { ...typed, externalTrafficPolicy: "Cluster" } : typed };
}

function defaultPort(port: ServicePort): ServicePort {
  const unset = port.targetPort === undefined || port.targetPort === 0 || port.targetPort === "";
  return { ...port, protocol: port.protocol || "TCP", targetPort: unset ? port.port : (port.targetPort ?? port.port) };
}

/** One address is written in two fields; a client that sets only the older one means both. */
export function withClusterIps(next: Service, previous?: Service): Service {
  const { clusterIP = "", clusterIPs = [] } = next.spec;
  const before = previous?.spec;
  const { clusterIPs: _, clusterIP: __, ...rest } = next.spec;
  if (before === undefined) {
    return clusterIP !== "" && clusterIPs.length === 0 ? { ...next, spec: { ...next.spec, clusterIPs: [clusterIP] } } : next;
  }
  const clusterIpChanged = clusterIP !== (before.clusterIP ?? "");
  const listChanged = !same(clusterIPs, before.clusterIPs ?? []);
  if (!clusterIpChanged || listChanged) return next;
  if (clusterIP === "") return { ...next, spec: rest };
  return { ...next, spec: { ...rest, clusterIP, clusterIPs: [clusterIP] } };
}

/** Addresses and ports that were handed out stay, although the client left them out. */
export function keepAllocations(next: Service, previous: Service): Service {
  const before = previous.spec;
  let spec: ServiceSpec = next.spec;
  if (needsClusterIp(before) && needsClusterIp(spec)) {
    if (isMissing(spec.clusterIP) && !isMissing(before.clusterIP)) spec = { ...spec, clusterIP: before.clusterIP };
    if ((spec.clusterIPs?.length ?? 0) === 0 && spec.clusterIP === before.clusterIP && before.clusterIPs !== undefined) {
      spec = { ...spec, clusterIPs: before.clusterIPs };
    }
  }
  if (needsNodePort(before) && needsNodePort(spec)) spec = { ...spec, ...keptPorts(spec, before) };
  if (needsHealthCheckPort(before) && needsHealthCheckPort(spec) && !spec.healthCheckNodePort && before.healthCheckNodePort) {
    spec = { ...spec, healthCheckNodePort: before.healthCheckNodePort };
  }
  return { ...next, spec };
}

function keptPorts({ ports }: ServiceSpec, before: ServiceSpec): Pick<ServiceSpec, "ports"> {
  if (ports === undefined) return {};
  const key = ({ protocol, port }: ServicePort) => `${protocol}/${port}`;
  const old = new Map((before.ports ?? []).map((port) => [key(port), port.nodePort ?? 0]));
  const used = new Set(ports.map(({ protocol, nodePort }) => `${protocol}/${nodePort}`));
  return {
    ports: ports.map((port) => {
      const nodePort = old.get(key(port)) ?? 0;
      if (port.nodePort || nodePort === 0 || used.has(`${port.protocol}/${nodePort}`)) return port;
      used.add(`${port.protocol}/${nodePort}`);
      return { ...port, nodePort };
    }),
  };
}

export function validateService({ spec }: Service): Errors {
  return [
    ...typeRules(spec),
    ...validateServicePorts(spec),
    ...validateLabels(spec.selector, "spec.selector"),
    ...affinityRules(spec),
    ...validateClusterIps(spec),
    ...requiredEnum(spec.type, TYPES, "spec.type"),
    ...portConflicts(spec),
    ...(spec.externalIPs ?? []).flatMap((ip, i) => validateIp(ip, `spec.externalIPs[${i}]`)),
    ...loadBalancerRules(spec),
    ...trafficRules(spec),
  ];
}

function typeRules(spec: ServiceSpec): Errors {
  const errors: FieldError[] = [];
  const { ports = [], clusterIPs = [], externalName = "" } = spec;
  if (ports.length === 0 && !isHeadless(spec) && spec.type !== "ExternalName") errors.push(requiredField("spec.ports"));
  switch (spec.type) {
    case "LoadBalancer":
      for (const [i, { port }] of ports.entries()) {
        const message = `may not expose port ${KUBELET_PORT} externally since it is used by kubelet`;
        if (port === KUBELET_PORT) errors.push(invalidField(`spec.ports[${i}]`, port, message));
      }
      if (isHeadless(spec)) errors.push(invalidField("spec.clusterIPs[0]", "None", "may not be set to 'None' for LoadBalancer services"));
      break;
    case "NodePort":
      if (isHeadless(spec)) errors.push(invalidField("spec.clusterIPs[0]", "None", "may not be set to 'None' for NodePort services"));
      break;
    case "ExternalName":
      if (clusterIPs.length > 0) errors.push(forbiddenField("spec.clusterIPs", "may not be set when type is 'ExternalName'"));
      if (externalName === "") errors.push(requiredField("spec.externalName"));
      else errors.push(...follows(isDns1123Subdomain, externalName.replace(/\.$/, ""), "spec.externalName"));
      break;
    case "ClusterIP":
    case undefined:
    default:
  }
  return errors;
}

function validateServicePorts(spec: ServiceSpec): Errors {
  const ports = spec.ports ?? [];
  const names = new Set<string>();
  return ports.flatMap((port, index) => {
    const at = `spec.ports[${index}]`;
    const errors: FieldError[] = [];
    if (isMissing(port.name)) {
      if (ports.length > 1) errors.push(requiredField(`${at}.name`));
    } else {
      errors.push(...follows(isDns1123Label, port.name, `${at}.name`));
      if (names.has(port.name)) errors.push(duplicateField(`${at}.name`, port.name));
      names.add(port.name);
    }
    errors.push(...portNumber(port.port ?? 0, `${at}.port`), ...requiredEnum(port.protocol, PROTOCOLS, `${at}.protocol`));
    errors.push(...portNumberOrName(port.targetPort ?? 0, `${at}.targetPort`));
    if (!isMissing(port.appProtocol)) errors.push(...follows(isLabelKey, port.appProtocol, `${at}.appProtocol`));
    return errors;
  });
}

function affinityRules({ sessionAffinity, sessionAffinityConfig }: ServiceSpec): Errors {
  const errors: FieldError[] = [...requiredEnum(sessionAffinity, ["ClientIP", "None"], "spec.sessionAffinity")];
  const path = "spec.sessionAffinityConfig";
  if (sessionAffinity === "ClientIP") {
    const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
    if (sessionAffinityConfig === undefined) errors.push(requiredField(path, "when session affinity type is ClientIP"));
    else if (sessionAffinityConfig.clientIP === undefined)
      errors.push(requiredField(`${path}.clientIP`, "when session affinity type is ClientIP"));
    else if (seconds === undefined) {
      errors.push(requiredField(`${path}.clientIP.timeoutSeconds`, "when session affinity type is ClientIP"));
    } else if (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS) {
      errors.push(invalidField(`${path}.clientIP.timeoutSeconds`, seconds, `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`));
    }
  } else if (sessionAffinity === "None" && sessionAffinityConfig !== undefined) {
    errors.push(forbiddenField(path, "must not be set when session affinity is None"));
  }
  return errors;
}

function validateClusterIps(spec: ServiceSpec): Errors {
  const { clusterIP = "", clusterIPs = [], ipFamilies = [] } = spec;
  const errors: FieldError[] = [];
  if (spec.type === "ExternalName") {
    if (ipFamilies.length > 0) errors.push(forbiddenField("spec.ipFamilies", "may not be set for ExternalName services"));
    if (spec.ipFamilyPolicy !== undefined) errors.push(forbiddenField("spec.ipFamilyPolicy", "may not be set for ExternalName services"));
    return errors;
  }
  const seen = new Set<string>();
  for (const [i, family] of ipFamilies.entries()) {
    errors.push(...optionalEnum(family, ["IPv4", "IPv6"], `spec.ipFamilies[${i}]`));
    if (seen.has(family)) errors.push(duplicateField(`spec.ipFamilies[${i}]`, family));
    seen.add(family);
  }
  errors.push(...optionalEnum(spec.ipFamilyPolicy, ["SingleStack", "PreferDualStack", "RequireDualStack"], "spec.ipFamilyPolicy"));
  if (clusterIPs.length === 0) {
    if (clusterIP !== "") errors.push(requiredField("spec.clusterIPs", "clusterIPs must match clusterIP"));
    return errors;
  }
  if (clusterIPs[0] !== clusterIP) errors.push(invalidField("spec.clusterIPs", clusterIPs, "first value must match `clusterIP`"));
  if (clusterIPs.length > 2) errors.push(invalidField("spec.clusterIPs", clusterIPs, "may only hold up to 2 values"));
  for (const [i, ip] of clusterIPs.entries()) {
    const at = `spec.clusterIPs[${i}]`;
    if (ip === "None") {
      if (i > 0 || clusterIPs.length > 1) errors.push(invalidField(at, ip, "'None' must be the first and only value"));
    } else {
      const bad = validateIp(ip, at);
      errors.push(...bad);
      const family = parseIp(ip)?.family;
      const wanted = ipFamilies[i];
      if (bad.length === 0 && wanted !== undefined && family !== wanted) {
        errors.push(invalidField(at, clusterIPs, `expected an ${wanted} value as indicated by \`ipFamilies[${i}]\``));
      }
    }
  }
  return errors;
}

function portConflicts({ type, ports = [] }: ServiceSpec): Errors {
  const errors: FieldError[] = [];
  const nodePorts = new Set<string>();
  const seen = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const at = `spec.ports[${i}]`;
    const { protocol = "", nodePort = 0 } = port;
    if (nodePort !== 0) {
      if (type === "ClusterIP") errors.push(forbiddenField(`${at}.nodePort`, "may not be used when `type` is 'ClusterIP'"));
      const key = `${protocol}/${nodePort}`;
      if (nodePorts.has(key)) errors.push(duplicateField(`${at}.nodePort`, nodePort));
      nodePorts.add(key);
    }
    const key = `${protocol}/${port.port}`;
    if (seen.has(key)) {
      errors.push(duplicateField(at, { Name: "", Protocol: protocol, AppProtocol: null, Port: port.port, TargetPort: 0, NodePort: 0 }));
    }
    seen.add(key);
  }
  return errors;
}

function loadBalancerRules(spec: ServiceSpec): Errors {
  const errors: FieldError[] = [];
  const isBalancer = spec.type === "LoadBalancer";
  const ranges = spec.loadBalancerSourceRanges ?? [];
  const only = "may only be used when `type` is 'LoadBalancer'";
  if (!isBalancer && ranges.length > 0) errors.push(forbiddenField("spec.loadBalancerSourceRanges", only));
  else {
    for (const [i, range] of ranges.entries()) {
      const message = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
      if (parseCidr(range.trim()) === undefined) errors.push(invalidField(`spec.loadBalancerSourceRanges[${i}]`, range, message));
    }
  }
  if (isBalancer && spec.allocateLoadBalancerNodePorts === undefined) errors.push(requiredField("spec.allocateLoadBalancerNodePorts"));
  if (!isBalancer && spec.allocateLoadBalancerNodePorts !== undefined) {
    errors.push(forbiddenField("spec.allocateLoadBalancerNodePorts", only));
  }
  if (spec.loadBalancerClass !== undefined) {
    errors.push(...follows(isLabelKey, spec.loadBalancerClass, "spec.loadBalancerClass"));
    if (!isBalancer) errors.push(forbiddenField("spec.loadBalancerClass", only));
  }
  return errors;
}

function trafficRules(spec: ServiceSpec): Errors {
  const errors: FieldError[] = [];
  const { externalTrafficPolicy, healthCheckNodePort = 0 } = spec;
  if (isExternallyAccessible(spec)) {
    errors.push(...requiredEnum(externalTrafficPolicy, POLICIES, "spec.externalTrafficPolicy"));
  } else if (!isMissing(externalTrafficPolicy)) {
    const message = "may only be set for externally-accessible services";
    errors.push(invalidField("spec.externalTrafficPolicy", externalTrafficPolicy, message));
  }
  if (healthCheckNodePort !== 0 && !needsHealthCheckPort(spec)) {
    const message = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    errors.push(invalidField("spec.healthCheckNodePort", healthCheckNodePort, message));
  }
  if (spec.type !== "ExternalName") errors.push(...requiredEnum(spec.internalTrafficPolicy, POLICIES, "spec.internalTrafficPolicy"));
  return [
    ...errors,
    ...optionalEnum(spec.trafficDistribution, ["PreferClose", "PreferSameNode", "PreferSameZone"], "spec.trafficDistribution"),
  ];
}

/** Addresses stay for the life of a Service, unless it was or becomes an ExternalName. */
export function validateServiceUpdate({ spec: next }: Service, { spec: previous }: Service): Errors {
  const errors: FieldError[] = [];
  if (previous.type !== "ExternalName" && next.type !== "ExternalName") {
    const [before = ""] = previous.clusterIPs ?? [];
    const [after = ""] = next.clusterIPs ?? [];
    if (before !== "" && after === "") {
      errors.push(invalidField("spec.clusterIPs[0]", next.clusterIPs ?? null, "primary clusterIP can not be unset"));
    } else if (before !== "" && before !== after)
      errors.push(invalidField("spec.clusterIPs[0]", next.clusterIPs, "may not change once set"));
    const [family] = previous.ipFamilies ?? [];
    if (family !== undefined && next.ipFamilies?.[0] !== family) {
      errors.push(invalidField("spec.ipFamilies[0]", next.ipFamilies ?? null, "may not change once set"));
    }
  }
  if (previous.type === "LoadBalancer" && next.type === "LoadBalancer" && previous.loadBalancerClass !== next.loadBalancerClass) {
    errors.push(invalidField("spec.loadBalancerClass", next.loadBalancerClass, "may not change once set"));
  }
  return errors;
}
