import type { Service } from "#machinery/api/core-v1.ts";
import type { EndpointSlice } from "#machinery/api/discovery-v1.ts";

/** What the cluster's zone answers from: lookups in caches, in time proportional to the answer. */
export interface ZoneView {
  readonly domain: string;
  namespaceExists(name: string): boolean;
  service(namespace: string, name: string): Service | undefined;
  slices(namespace: string, service: string): readonly EndpointSlice[];
  serviceByClusterIP(ip: string): Service | undefined;
  /** Endpoint slices of headless Services that hold this address. */
  slicesByAddress(ip: string): readonly EndpointSlice[];
}

export type DnsRecord =
  | { readonly type: "A" | "AAAA"; readonly name: string; readonly address: string }
  | { readonly type: "CNAME"; readonly name: string; readonly target: string }
  | { readonly type: "PTR"; readonly name: string; readonly target: string }
  | { readonly type: "TXT"; readonly name: string; readonly text: string }
  | {
      readonly type: "SRV";
      readonly name: string;
      readonly target: string;
      readonly port: number;
      readonly priority: number;
      readonly weight: number;
    };

export type ZoneAnswer =
  | { readonly found: "records"; readonly records: readonly DnsRecord[]; readonly additional: readonly DnsRecord[] }
  /** The name exists, but not with this type. */
  | { readonly found: "nodata" }
  | { readonly found: "nxdomain" }
  /** Not ours: forward it. */
  | { readonly found: "elsewhere" };

const NXDOMAIN: ZoneAnswer = { found: "nxdomain" };
const NODATA: ZoneAnswer = { found: "nodata" };

/** Version of the DNS schema that `dns-version.<domain>` reports (Kubernetes DNS-Based Service Discovery 1.1.0). */
const SCHEMA_VERSION = "1.1.0";

/** Answers one question from the cluster's zone. `name` is lower case without the final dot; `type` as dns-packet prints it. */
export function answer(zone: ZoneView, name: string, type: string): ZoneAnswer {
  if (name.endsWith(".in-addr.arpa") || name.endsWith(".ip6.arpa")) return reverse(zone, name, type);
  if (name === zone.domain) return NODATA;
  if (!name.endsWith(`.${zone.domain}`)) return { found: "elsewhere" };
  const labels = name.slice(0, -zone.domain.length - 1).split(".");
  const kind = labels.at(-1);
  if (kind === "svc") return serviceAnswer(zone, name, labels.slice(0, -1), type);
  if (kind === "pod") return podAnswer(zone, name, labels.slice(0, -1), type);
  if (labels.length === 1 && kind === "dns-version") return ofType([{ type: "TXT", name, text: SCHEMA_VERSION }], type);
  return NXDOMAIN;
}

/** `[_port._proto.][hostname.]service.namespace`. */
function serviceAnswer(zone: ZoneView, name: string, labels: readonly string[], type: string): ZoneAnswer {
  if (labels.length === 0) return NODATA;
  const namespace = labels.at(-1) ?? "";
  if (!zone.namespaceExists(namespace)) return NXDOMAIN;
  if (labels.length === 1) return NODATA;
  const serviceName = labels.at(-2) ?? "";
  const service = zone.service(namespace, serviceName);
  if (service === undefined) return NXDOMAIN;
  const rest = labels.slice(0, -2);
  const base = `${serviceName}.${namespace}.svc.${zone.domain}`;

  if (service.spec.type === "ExternalName") {
    const target = service.spec.externalName ?? "";
    return rest.length === 0 ? { found: "records", records: [{ type: "CNAME", name, target }], additional: [] } : NXDOMAIN;
  }
  const headless = service.spec.clusterIP === "None" || service.spec.clusterIP === undefined;
  const hosts = headless ? headlessHosts(zone, service, namespace, serviceName) : [];

  if (rest.length === 0) {
    const addresses = headless ? hosts.map((h) => h.address) : (service.spec.clusterIPs ?? [service.spec.clusterIP ?? ""]);
    if (type === "SRV") return srvAnswer(name, base, service, hosts, headless, undefined);
    // A headless Service without endpoints has no name, as upstream's CoreDNS answers.
    if (addresses.length === 0) return NXDOMAIN;
    return ofType(
      [...new Set(addresses)].map((address) => addressRecord(name, address)),
      type,
    );
  }
  if (rest.length === 1 && rest[0]?.startsWith("_") === false) {
    const found = hosts.filter((h) => h.host === rest[0]);
    if (found.length === 0) return NXDOMAIN;
    return ofType(
      [...new Set(found.map((h) => h.address))].map((address) => addressRecord(name, address)),
      type,
    );
  }
  if (rest.length === 2 && rest.every((label) => label.startsWith("_"))) {
    const answered = srvAnswer(name, base, service, hosts, headless, {
      port: (rest[0] ?? "").slice(1),
      protocol: (rest[1] ?? "").slice(1),
    });
    if (answered.found !== "records") return NXDOMAIN;
    return type === "SRV" || type === "ANY" ? answered : NODATA;
  }
  return NXDOMAIN;
}

interface HeadlessHost {
  readonly host: string;
  readonly address: string;
  readonly ports: readonly { readonly name: string; readonly protocol: string; readonly port: number }[];
}

function headlessHosts(zone: ZoneView, service: Service, namespace: string, name: string): HeadlessHost[] {
  const evenUnready = service.spec.publishNotReadyAddresses === true;
  return zone.slices(namespace, name).flatMap((slice) =>
    (slice.endpoints ?? []).flatMap((endpoint) => {
      if (!evenUnready && endpoint.conditions?.ready === false) return [];
      const ports = (slice.ports ?? []).flatMap((p) =>
        p.port === undefined ? [] : [{ name: p.name ?? "", protocol: (p.protocol ?? "TCP").toLowerCase(), port: p.port }],
      );
      return endpoint.addresses.map((address) => ({ host: endpoint.hostname ?? address.replaceAll(/[.:]/g, "-"), address, ports }));
    }),
  );
}

function srvAnswer(
  name: string,
  base: string,
  service: Service,
  hosts: readonly HeadlessHost[],
  headless: boolean,
  want: { readonly port: string; readonly protocol: string } | undefined,
): ZoneAnswer {
  const records: DnsRecord[] = [];
  const additional: DnsRecord[] = [];
  if (headless) {
    const targets = hosts.flatMap((h) =>
      h.ports.filter((p) => wanted(p)).map((p) => ({ target: `${h.host}.${base}`, port: p.port, address: h.address })),
    );
    for (const { target, port, address } of targets) {
      records.push({ type: "SRV", name, target, port, priority: 0, weight: Math.max(1, Math.floor(100 / targets.length)) });
      additional.push(addressRecord(target, address));
    }
  } else {
    for (const port of service.spec.ports ?? []) {
      if (!wanted({ name: port.name ?? "", protocol: (port.protocol ?? "TCP").toLowerCase() })) continue;
      records.push({ type: "SRV", name, target: base, port: port.port, priority: 0, weight: 100 });
    }
    for (const address of service.spec.clusterIPs ?? []) additional.push(addressRecord(base, address));
  }
  return records.length === 0 ? NODATA : { found: "records", records, additional };

  function wanted(port: { readonly name: string; readonly protocol: string }): boolean {
    return want === undefined || (port.name === want.port && port.name !== "" && port.protocol === want.protocol);
  }
}

/** `10-42-0-5.default.pod`: the address is in the question; only the namespace is looked up. */
function podAnswer(zone: ZoneView, name: string, labels: readonly string[], type: string): ZoneAnswer {
  if (labels.length === 0) return NODATA;
  if (!zone.namespaceExists(labels.at(-1) ?? "")) return NXDOMAIN;
  if (labels.length === 1) return NODATA;
  if (labels.length > 2) return NXDOMAIN;
  const text = labels[0] ?? "";
  const v4 = text.split("-");
  if (v4.length === 4 && v4.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return ofType([addressRecord(name, v4.join("."))], type);
  if (/^[0-9a-f]{0,4}(-[0-9a-f]{0,4}){2,7}$/.test(text)) return ofType([addressRecord(name, text.replaceAll("-", ":"))], type);
  return NXDOMAIN;
}

function reverse(zone: ZoneView, name: string, type: string): ZoneAnswer {
  const ip = addressOf(name);
  if (ip === undefined) return { found: "elsewhere" };
  const owner = zone.serviceByClusterIP(ip);
  const targets =
    owner === undefined
      ? zone.slicesByAddress(ip).flatMap((slice) => {
          const service = slice.metadata.labels?.["kubernetes.io/service-name"] ?? "";
          return (slice.endpoints ?? [])
            .filter((e) => e.addresses.includes(ip))
            .map((e) => `${e.hostname ?? ip.replaceAll(/[.:]/g, "-")}.${service}.${slice.metadata.namespace}.svc.${zone.domain}`);
        })
      : [`${owner.metadata.name}.${owner.metadata.namespace}.svc.${zone.domain}`];
  if (targets.length === 0) return { found: "elsewhere" };
  return ofType(
    [...new Set(targets)].map((target) => ({ type: "PTR", name, target })),
    type,
  );
}

function addressOf(name: string): string | undefined {
  const v4 = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name);
  if (v4 !== null) return [v4[4], v4[3], v4[2], v4[1]].join(".");
  const digits = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(name)?.[1]?.replaceAll(".", "");
  if (digits === undefined) return undefined;
  const groups = digits.split("").toReversed().join("").match(/.{4}/g) ?? [];
  return compressIPv6(groups.map((g) => g.replace(/^0{1,3}/, "")));
}

function compressIPv6(groups: readonly string[]): string {
  let best = { start: -1, length: 1 };
  for (let i = 0; i < groups.length; i++) {
    let length = 0;
    while (groups[i + length] === "0") length++;
    if (length > best.length) best = { start: i, length };
  }
  if (best.start < 0) return groups.join(":");
  return `${groups.slice(0, best.start).join(":")}::${groups.slice(best.start + best.length).join(":")}`;
}

function addressRecord(name: string, address: string): DnsRecord {
  return { type: address.includes(":") ? "AAAA" : "A", name, address };
}

function ofType(records: readonly DnsRecord[], type: string): ZoneAnswer {
  const matching = type === "ANY" ? records : records.filter((record) => record.type === type);
  return matching.length === 0 ? NODATA : { found: "records", records: matching, additional: [] };
}
