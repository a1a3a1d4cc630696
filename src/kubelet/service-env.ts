import type { Service, ServicePort } from "#machinery/api/core-v1.ts";

export interface EnvPair {
  readonly name: string;
  readonly value: string;
}

/** The Service whose variables every pod gets. */
const MASTER = { namespace: "default", name: "kubernetes" };

/**
 * The Services that a pod in `namespace` is told of: the cluster's own always, those of its namespace when `enableServiceLinks`
 * (a Service named kubernetes in the pod's namespace wins over the cluster's). Headless and external ones have no address.
 */
export function servicesFor(services: readonly Service[], namespace: string, enableServiceLinks: boolean): readonly Service[] {
  const visible = services.filter((service) => {
    const ip = service.spec.clusterIP ?? "";
    return ip !== "" && ip !== "None";
  });
  const own = enableServiceLinks ? visible.filter((service) => service.metadata.namespace === namespace) : [];
  const master = visible.find(({ metadata }) => metadata.namespace === MASTER.namespace && metadata.name === MASTER.name);
  const all = master === undefined || own.some(({ metadata }) => metadata.name === MASTER.name) ? own : [...own, master];
  return all.toSorted((a, b) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1));
}

/** `WEB_SERVICE_HOST`, `WEB_PORT_80_TCP_ADDR` and their kin: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables */
export function serviceEnv(services: readonly Service[]): readonly EnvPair[] {
  return services.flatMap((service) => {
    const { ports = [], clusterIP = "" } = service.spec;
    const [first] = ports;
    if (first === undefined) return [];
    const prefix = variable(service.metadata.name ?? "");
    return [
      { name: `${prefix}_SERVICE_HOST`, value: clusterIP },
      { name: `${prefix}_SERVICE_PORT`, value: String(first.port) },
      ...ports
        .filter((port) => (port.name ?? "") !== "")
        .map((port) => ({ name: `${prefix}_SERVICE_PORT_${variable(port.name ?? "")}`, value: String(port.port) })),
      { name: `${prefix}_PORT`, value: urlOf(clusterIP, first) },
      ...ports.flatMap((port) => linkOf(prefix, clusterIP, port)),
    ];
  });
}

function linkOf(prefix: string, ip: string, port: ServicePort): readonly EnvPair[] {
  const protocol = port.protocol ?? "TCP";
  const name = `${prefix}_PORT_${port.port}_${protocol}`;
  return [
    { name, value: urlOf(ip, port) },
    { name: `${name}_PROTO`, value: protocol.toLowerCase() },
    { name: `${name}_PORT`, value: String(port.port) },
    { name: `${name}_ADDR`, value: ip },
  ];
}

function urlOf(ip: string, { protocol = "TCP", port }: ServicePort): string {
  return `${protocol.toLowerCase()}://${ip.includes(":") ? `[${ip}]` : ip}:${port}`;
}

const variable = (name: string) => name.toUpperCase().replaceAll("-", "_");
