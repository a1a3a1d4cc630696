import type { Frame } from "./nftables/render.ts";
import type { Fate, Packet } from "./packet.ts";
import type { Backend, ServicePort } from "./service-map.ts";

/** Whose packets the table is about: the same addresses in memory and in network namespaces. */
export const ADDRESSES = {
  /** Pod of this node that serves port 8080. */
  here: "10.0.1.2",
  /** Pod of another node that serves port 8080. */
  there: "10.0.2.3",
  /** Pod of this node that is a client only. */
  client: "10.0.9.9",
  node: "192.168.0.1",
  outside: "203.0.113.7",
  clusterIP: "172.30.0.41",
  unusedServiceIP: "172.30.9.9",
  externalIP: "203.0.113.50",
  loadBalancerIP: "203.0.113.60",
} as const;

export const CONFORMANCE_FRAME: Frame = { family: "ip", podCidr: "10.0.0.0/8", serviceCidr: "172.30.0.0/16" };

export interface TrafficCase {
  readonly name: string;
  readonly port: ServicePort;
  readonly packet: Packet;
  readonly fate: Fate;
}

const here: Backend = { ip: ADDRESSES.here, port: 8080, local: true };
const there: Backend = { ip: ADDRESSES.there, port: 8080, local: false };

/** A Service of two endpoints with `over` changed; `backends` stands for all three lists. */
export function conformancePort(over: Partial<ServicePort> & { readonly backends?: readonly Backend[] } = {}): ServicePort {
  const { backends = [here, there], ...rest } = over;
  return {
    id: "default/web",
    protocol: "TCP",
    port: 80,
    clusterIP: ADDRESSES.clusterIP,
    nodePort: 0,
    externalIPs: [],
    loadBalancerIPs: [],
    sourceRanges: [],
    affinitySeconds: 0,
    internal: backends,
    external: backends,
    cluster: backends,
    internalPolicy: "Cluster",
    externalPolicy: "Cluster",
    ...rest,
  };
}

const NODE_PORT = 30_080;
const { client, node, outside } = ADDRESSES;
const packet = (saddr: string, daddr: string, dport: number, protocol: Packet["protocol"] = "tcp"): Packet => ({
  saddr,
  daddr,
  protocol,
  dport,
  from: saddr === node ? "node" : "network",
});
const toVip = packet(client, ADDRESSES.clusterIP, 80);
const toNodePort = packet(outside, node, NODE_PORT);
const toExternalIP = packet(outside, ADDRESSES.externalIP, 80);
const toBalancer = packet(outside, ADDRESSES.loadBalancerIP, 80);

const BOTH = [`${ADDRESSES.here}:8080`, `${ADDRESSES.there}:8080`];
const HERE = [`${ADDRESSES.here}:8080`];
const dnat = (to: readonly string[]): Fate => ({ verdict: "dnat", to, masquerade: false });
const masqueraded = (to: readonly string[]): Fate => ({ verdict: "dnat", to, masquerade: true });
const reject: Fate = { verdict: "reject", to: [], masquerade: false };
const drop: Fate = { verdict: "drop", to: [], masquerade: false };

const nodePort = { nodePort: NODE_PORT };
const local = { ...nodePort, externalPolicy: "Local", external: [here] } as const;
const localNone = { ...local, external: [] };
const balancer = { loadBalancerIPs: [ADDRESSES.loadBalancerIP] };
const allowed = { ...balancer, sourceRanges: ["198.51.100.0/24", "203.0.113.0/24"] };
const refused = { ...balancer, sourceRanges: ["198.51.100.0/24"] };
const udp = (over: Partial<ServicePort> = {}) => conformancePort({ id: "default/dns", protocol: "UDP", ...over });

/** What every data plane does with the first packet of a connection, whichever road it takes to a Service. */
export const trafficTable: readonly TrafficCase[] = [
  { name: "a pod reaches both endpoints with its own address", port: conformancePort(), packet: toVip, fate: dnat(BOTH) },
  {
    name: "the node reaches the cluster IP",
    port: conformancePort(),
    packet: packet(node, ADDRESSES.clusterIP, 80),
    fate: masqueraded(BOTH),
  },
  {
    name: "a client from outside the pod network reaches the cluster IP and is answered through this node",
    port: conformancePort(),
    packet: packet(outside, ADDRESSES.clusterIP, 80),
    fate: masqueraded(BOTH),
  },
  {
    name: "a pod that reaches itself is masqueraded",
    port: conformancePort({ backends: [here] }),
    packet: packet(ADDRESSES.here, ADDRESSES.clusterIP, 80),
    fate: masqueraded(HERE),
  },
  { name: "another port of the service address is rejected", port: conformancePort(), packet: { ...toVip, dport: 81 }, fate: reject },
  {
    name: "an unused service address is rejected",
    port: conformancePort(),
    packet: { ...toVip, daddr: ADDRESSES.unusedServiceIP },
    fate: reject,
  },
  {
    name: "an unused service address is rejected for the node too",
    port: conformancePort(),
    packet: packet(node, ADDRESSES.unusedServiceIP, 80),
    fate: reject,
  },
  { name: "UDP to a TCP port is rejected", port: conformancePort(), packet: { ...toVip, protocol: "udp" }, fate: reject },
  { name: "a Service without endpoints rejects", port: conformancePort({ backends: [] }), packet: toVip, fate: reject },
  {
    name: "internal policy Local keeps to this node",
    port: conformancePort({ internal: [here], internalPolicy: "Local" }),
    packet: toVip,
    fate: dnat(HERE),
  },
  {
    name: "internal policy Local without a local endpoint drops",
    port: conformancePort({ internal: [], internalPolicy: "Local" }),
    packet: toVip,
    fate: drop,
  },
  { name: "UDP from a pod", port: udp(), packet: { ...toVip, protocol: "udp" }, fate: dnat(BOTH) },
  { name: "UDP from the node", port: udp(), packet: packet(node, ADDRESSES.clusterIP, 80, "udp"), fate: masqueraded(BOTH) },
  { name: "UDP to a node port", port: udp(nodePort), packet: { ...toNodePort, protocol: "udp" }, fate: masqueraded(BOTH) },
  {
    name: "UDP without endpoints is rejected",
    port: udp({ internal: [], external: [], cluster: [] }),
    packet: { ...toVip, protocol: "udp" },
    fate: reject,
  },
  { name: "a node port masquerades under policy Cluster", port: conformancePort(nodePort), packet: toNodePort, fate: masqueraded(BOTH) },
  { name: "a pod reaches a node port", port: conformancePort(nodePort), packet: packet(client, node, NODE_PORT), fate: masqueraded(BOTH) },
  {
    name: "the node reaches its own node port",
    port: conformancePort(nodePort),
    packet: packet(node, node, NODE_PORT),
    fate: masqueraded(BOTH),
  },
  { name: "a node port without endpoints rejects", port: conformancePort({ ...nodePort, backends: [] }), packet: toNodePort, fate: reject },
  { name: "a node port keeps the client under policy Local", port: conformancePort(local), packet: toNodePort, fate: dnat(HERE) },
  { name: "policy Local without a local endpoint drops", port: conformancePort(localNone), packet: toNodePort, fate: drop },
  {
    name: "policy Local serves pods from everywhere",
    port: conformancePort(localNone),
    packet: packet(client, node, NODE_PORT),
    fate: dnat(BOTH),
  },
  {
    name: "policy Local serves the node from everywhere",
    port: conformancePort(localNone),
    packet: packet(node, node, NODE_PORT),
    fate: masqueraded(BOTH),
  },
  {
    name: "an external IP is served",
    port: conformancePort({ externalIPs: [ADDRESSES.externalIP] }),
    packet: toExternalIP,
    fate: masqueraded(BOTH),
  },
  {
    name: "an external IP under policy Local keeps the client",
    port: conformancePort({ ...local, externalIPs: [ADDRESSES.externalIP] }),
    packet: toExternalIP,
    fate: dnat(HERE),
  },
  {
    name: "an external IP under policy Local without a local endpoint drops",
    port: conformancePort({ ...localNone, externalIPs: [ADDRESSES.externalIP] }),
    packet: toExternalIP,
    fate: drop,
  },
  {
    name: "an external IP without endpoints rejects",
    port: conformancePort({ backends: [], externalIPs: [ADDRESSES.externalIP] }),
    packet: toExternalIP,
    fate: reject,
  },
  { name: "a load balancer address is served", port: conformancePort(balancer), packet: toBalancer, fate: masqueraded(BOTH) },
  {
    name: "a load balancer address serves clients in its source ranges",
    port: conformancePort(allowed),
    packet: toBalancer,
    fate: masqueraded(BOTH),
  },
  {
    name: "a load balancer address drops clients outside its source ranges",
    port: conformancePort(refused),
    packet: toBalancer,
    fate: drop,
  },
  {
    name: "pods outside the source ranges are dropped as well",
    port: conformancePort(allowed),
    packet: packet(client, ADDRESSES.loadBalancerIP, 80),
    fate: drop,
  },
  {
    name: "source ranges do not concern other external IPs",
    port: conformancePort({ ...refused, externalIPs: [ADDRESSES.externalIP] }),
    packet: toExternalIP,
    fate: masqueraded(BOTH),
  },
  { name: "source ranges do not concern the cluster IP", port: conformancePort(refused), packet: toVip, fate: dnat(BOTH) },
  {
    name: "without endpoints a client in the source ranges is rejected",
    port: conformancePort({ ...allowed, backends: [] }),
    packet: toBalancer,
    fate: reject,
  },
  {
    name: "without endpoints a client outside the source ranges is dropped",
    port: conformancePort({ ...refused, backends: [] }),
    packet: toBalancer,
    fate: drop,
  },
  {
    name: "a packet that is for no Service passes",
    port: conformancePort(),
    packet: packet(client, ADDRESSES.there, 8080),
    fate: { verdict: "delivered", to: [`${ADDRESSES.there}:8080`], masquerade: false },
  },
];

/** The address plan in IPv6, address by address and range by range. */
const SIX: readonly (readonly [string, string])[] = [
  [ADDRESSES.here, "fd00:10:1::2"],
  [ADDRESSES.there, "fd00:10:2::3"],
  [ADDRESSES.client, "fd00:10:9::9"],
  ["10.0.1.1", "fd00:10:1::1"],
  ["10.0.2.1", "fd00:10:2::1"],
  ["10.0.9.1", "fd00:10:9::1"],
  [ADDRESSES.node, "fd00:192::1"],
  [ADDRESSES.outside, "2001:db8:203::7"],
  [ADDRESSES.clusterIP, "fd00:172::41"],
  [ADDRESSES.unusedServiceIP, "fd00:172::9:9"],
  [ADDRESSES.externalIP, "2001:db8:203::50"],
  [ADDRESSES.loadBalancerIP, "2001:db8:203::60"],
  ["127.0.0.1", "::1"],
  ["198.51.100.0/24", "2001:db8:198::/48"],
  ["203.0.113.0/24", "2001:db8:203::/48"],
  ["10.0.0.0/8", "fd00:10::/32"],
  ["172.30.0.0/16", "fd00:172::/108"],
];

/** The same value with every address of the plan, as a whole string or before a port, in IPv6. */
export function inIPv6<T>(value: T): T {
  let text = JSON.stringify(value).replaceAll('"family":"ip"', '"family":"ip6"');
  for (const [four, six] of SIX) text = text.replaceAll(`"${four}"`, `"${six}"`).replaceAll(`"${four}:8080"`, `"[${six}]:8080"`);
  return JSON.parse(text) as T;
}
