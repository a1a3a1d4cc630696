import type { Backend, Protocol, ServicePort } from "../service-map.ts";
import type { Chain, Element, NamedSet, Rule, Unit } from "./ruleset.ts";

/** The one table that this proxy owns, per family. */
export const TABLE = "navarch-proxy";

export interface Frame {
  readonly family: "ip" | "ip6";
  readonly podCidr: string;
  readonly serviceCidr: string;
}

const VERDICT_BY_ADDRESS = (family: "ip" | "ip6") =>
  `type ${family === "ip" ? "ipv4_addr" : "ipv6_addr"} . inet_proto . inet_service : verdict`;

/**
 * What stands whatever the Services are: hooks, maps, and the promise that no packet to a service address leaves the node
 * unrouted.
 */
export function renderFrame({ family, serviceCidr }: Frame): Unit {
  const address = family === "ip" ? "ipv4_addr" : "ipv6_addr";
  const loopback = family === "ip" ? "127.0.0.0/8" : "::1";
  const toNodePort: Rule["match"] = [
    { on: "local", which: "daddr" },
    { on: "daddr", not: true, in: [loopback] },
  ];
  const check: readonly Rule[] = [{ match: [{ on: "new connection" }], action: { do: "jump", chain: "check" } }];
  return {
    sets: [
      { name: "hairpin", declaration: `set hairpin { type ${address} . ${address}; }` },
      { name: "service-ips", declaration: `map service-ips { ${VERDICT_BY_ADDRESS(family)}; }` },
      { name: "service-nodeports", declaration: "map service-nodeports { type inet_proto . inet_service : verdict; }" },
      { name: "no-endpoint-ips", declaration: `map no-endpoint-ips { ${VERDICT_BY_ADDRESS(family)}; }` },
      { name: "no-endpoint-nodeports", declaration: "map no-endpoint-nodeports { type inet_proto . inet_service : verdict; }" },
    ],
    chains: [
      { name: "mark-for-masquerade", rules: [{ match: [], action: { do: "mark for masquerade" } }] },
      { name: "reject-chain", rules: [{ match: [], action: { do: "reject" } }] },
      { name: "drop-chain", rules: [{ match: [], action: { do: "drop" } }] },
      {
        name: "services",
        rules: [
          { match: [], action: { do: "vmap", map: "service-ips", key: "address and port" } },
          { match: toNodePort, action: { do: "vmap", map: "service-nodeports", key: "port" } },
        ],
      },
      {
        name: "check",
        rules: [
          { match: [], action: { do: "vmap", map: "no-endpoint-ips", key: "address and port" } },
          { match: toNodePort, action: { do: "vmap", map: "no-endpoint-nodeports", key: "port" } },
          { match: [{ on: "daddr", in: [serviceCidr] }], action: { do: "reject" }, comment: "no such service port" },
        ],
      },
      {
        name: "masquerading",
        rules: [
          { match: [{ on: "hairpin" }], action: { do: "masquerade" } },
          { match: [{ on: "mark", set: false }], action: { do: "return" } },
          { match: [], action: { do: "clear mark" } },
          { match: [], action: { do: "masquerade" } },
        ],
      },
      {
        name: "nat-prerouting",
        hook: "type nat hook prerouting priority dstnat",
        rules: [{ match: [], action: { do: "jump", chain: "services" } }],
      },
      { name: "nat-output", hook: "type nat hook output priority -100", rules: [{ match: [], action: { do: "jump", chain: "services" } }] },
      {
        name: "nat-postrouting",
        hook: "type nat hook postrouting priority srcnat",
        rules: [{ match: [], action: { do: "jump", chain: "masquerading" } }],
      },
      { name: "filter-input", hook: "type filter hook input priority 0", rules: check },
      { name: "filter-forward", hook: "type filter hook forward priority 0", rules: check },
      { name: "filter-output", hook: "type filter hook output priority 0", rules: check },
    ],
    elements: [],
  };
}

/** The rules of one service port: chains of its own and elements of the frame's maps. */
export function renderServicePort(port: ServicePort, { podCidr }: Frame): Unit {
  const name = chainName(port);
  const sets: NamedSet[] = [];
  const chains: Chain[] = [];
  const elements: Element[] = [];
  const byAddress = (ip: string) => `${ip} . ${port.protocol.toLowerCase()} . ${port.port}`;
  const byNodePort = `${port.protocol.toLowerCase()} . ${port.nodePort}`;

  for (const backend of port.cluster.filter((b) => b.local)) {
    elements.push({ map: "hairpin", key: `${backend.ip} . ${backend.ip}` });
  }

  if (port.internal.length > 0) {
    // Clients outside the pod network may not get the answer straight from the pod: they asked the service address.
    const fromOutside: Rule = { match: [{ on: "saddr", not: true, in: [podCidr] }], action: { do: "jump", chain: "mark-for-masquerade" } };
    addBalancer(`svc-${name}`, port.internal, [fromOutside]);
    elements.push({ map: "service-ips", key: byAddress(port.clusterIP), verdict: `goto svc-${name}` });
  } else {
    const verdict = port.internalPolicy === "Local" && port.cluster.length > 0 ? "goto drop-chain" : "goto reject-chain";
    elements.push({ map: "no-endpoint-ips", key: byAddress(port.clusterIP), verdict });
  }

  const restricted = port.sourceRanges.length > 0 ? port.loadBalancerIPs : [];
  const open = restricted.length > 0 ? port.externalIPs : [...port.externalIPs, ...port.loadBalancerIPs];
  if (port.nodePort !== 0 || open.length + restricted.length > 0) addExternal();
  return { sets, chains, elements };

  function addExternal() {
    if (port.cluster.length === 0 || (port.externalPolicy === "Cluster" && port.external.length === 0)) {
      for (const ip of open) elements.push({ map: "no-endpoint-ips", key: byAddress(ip), verdict: "goto reject-chain" });
      if (port.nodePort !== 0) elements.push({ map: "no-endpoint-nodeports", key: byNodePort, verdict: "goto reject-chain" });
      if (restricted.length > 0) {
        chains.push({
          name: `fw-${name}`,
          rules: [
            { match: [{ on: "saddr", in: port.sourceRanges }], action: { do: "reject" } },
            { match: [], action: { do: "drop" } },
          ],
        });
        for (const ip of restricted) elements.push({ map: "no-endpoint-ips", key: byAddress(ip), verdict: `goto fw-${name}` });
      }
      return;
    }
    const rules: Rule[] = [];
    if (port.externalPolicy === "Local") {
      // Pods and this node reach external addresses as if the policy were Cluster (KEP-1138).
      addBalancer(`all-${name}`, port.cluster, []);
      rules.push({ match: [{ on: "saddr", in: [podCidr] }], action: { do: "goto", chain: `all-${name}` } });
      rules.push({ match: [{ on: "local", which: "saddr" }], action: { do: "jump", chain: "mark-for-masquerade" } });
      rules.push({ match: [{ on: "local", which: "saddr" }], action: { do: "goto", chain: `all-${name}` } });
      if (port.external.length > 0) {
        addBalancer(`loc-${name}`, port.external, []);
        rules.push({ match: [], action: { do: "goto", chain: `loc-${name}` } });
      }
    } else {
      rules.push({ match: [], action: { do: "jump", chain: "mark-for-masquerade" } });
      addBalancer(`all-${name}`, port.external, []);
      rules.push({ match: [], action: { do: "goto", chain: `all-${name}` } });
    }
    chains.push({ name: `ext-${name}`, rules });
    if (port.nodePort !== 0) elements.push({ map: "service-nodeports", key: byNodePort, verdict: `goto ext-${name}` });
    for (const ip of open) elements.push({ map: "service-ips", key: byAddress(ip), verdict: `goto ext-${name}` });
    if (restricted.length > 0) {
      // Clients outside the ranges pass on to the address itself, and "check" drops them.
      chains.push({
        name: `fw-${name}`,
        rules: [{ match: [{ on: "saddr", in: port.sourceRanges }], action: { do: "goto", chain: `ext-${name}` } }],
      });
      for (const ip of restricted) {
        elements.push({ map: "service-ips", key: byAddress(ip), verdict: `goto fw-${name}` });
        elements.push({ map: "no-endpoint-ips", key: byAddress(ip), verdict: "goto drop-chain" });
      }
    }
    if (port.externalPolicy === "Local" && port.external.length === 0) {
      // DNAT above serves pods and the node; what is left finds no local endpoint and is dropped, as upstream does.
      for (const ip of open) elements.push({ map: "no-endpoint-ips", key: byAddress(ip), verdict: "goto drop-chain" });
      if (port.nodePort !== 0) elements.push({ map: "no-endpoint-nodeports", key: byNodePort, verdict: "goto drop-chain" });
    }
  }

  function addBalancer(chain: string, backends: readonly Backend[], first: readonly Rule[]) {
    const proto: Rule["match"] = [{ on: "l4proto", is: port.protocol }];
    if (port.affinitySeconds === 0) {
      chains.push({
        name: chain,
        rules: [...first, { match: proto, action: { do: "dnat", to: backends.map(({ ip, port: p }) => ({ ip, port: p })) } }],
      });
      return;
    }
    const targets = backends.map((backend) => `ep-${name}-${slug(`${backend.ip}/${backend.port}`)}`);
    for (const [i, backend] of backends.entries()) {
      const target = targets[i] ?? "";
      if (chains.some((c) => c.name === target)) continue;
      const family = backend.ip.includes(":") ? "ipv6_addr" : "ipv4_addr";
      sets.push({
        name: `aff-${target}`,
        declaration: `set aff-${target} { type ${family}; flags dynamic,timeout; timeout ${port.affinitySeconds}s; }`,
      });
      chains.push({
        name: target,
        rules: [
          { match: [], action: { do: "remember client", set: `aff-${target}` } },
          { match: proto, action: { do: "dnat", to: [{ ip: backend.ip, port: backend.port }] } },
        ],
      });
    }
    chains.push({
      name: chain,
      rules: [
        ...first,
        ...targets.map((target): Rule => ({ match: [{ on: "saddr", set: `aff-${target}` }], action: { do: "goto", chain: target } })),
        { match: [], action: { do: "goto one of", chains: targets } },
      ],
    });
  }
}

/** Readable and unique: an 8-digit hash first, then as much of the id as fits nft's 128 characters beside an endpoint. */
function chainName(port: Pick<ServicePort, "id"> & { readonly protocol: Protocol; readonly port: number }): string {
  const full = `${port.id}/${port.protocol.toLowerCase()}/${port.port}`;
  return `${fnv1a(full)}-${slug(full).slice(0, 60)}`;
}

function slug(text: string): string {
  return text.replace(/[^A-Za-z0-9.]+/g, "_");
}

function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}
