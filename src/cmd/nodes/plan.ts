import { addressIn, type Cidr, formatCidr, overlaps, parseCidr } from "#network/cidr.ts";
import { NodesError } from "./error.ts";
import { type ClusterNames, MAX_NODES } from "./names.ts";

export interface NodePlace {
  readonly number: number;
  readonly name: string;
  readonly netns: string;
  /** For `nsenter --net=` and for containerd. */
  readonly netnsPath: string;
  readonly address: string;
}

export interface NodeNetwork {
  readonly cluster: string;
  readonly bridge: string;
  readonly subnet: string;
  /** The host's address on the bridge. */
  readonly hostAddress: string;
  readonly nodes: readonly NodePlace[];
}

/** Links and namespaces as `ip` lists them, of the whole host. */
export interface HostState {
  readonly netns: readonly string[];
  readonly links: readonly HostLink[];
  /** Every range that this host has an address in or a route to, the default route left out. */
  readonly ranges: readonly string[];
}

export interface HostLink {
  readonly name: string;
  readonly altnames: readonly string[];
  readonly addresses: readonly { readonly address: string; readonly prefix: number }[];
}

/** Subnets tried in turn: 10.89.0.0/24 to 10.89.255.0/24. */
const CANDIDATES = Array.from({ length: 256 }, (_, number) => `10.89.${number}.0/24`);

/** The first /24 that nothing on this host, and nothing in `avoid`, overlaps. */
export function pickSubnet(ranges: readonly string[], avoid: readonly string[]): string {
  const taken = [...ranges, ...avoid].map(parseCidr).filter((cidr) => cidr !== undefined && cidr.prefix > 0) as readonly Cidr[];
  const free = CANDIDATES.find((candidate) => {
    const cidr = parseCidr(candidate);
    return cidr !== undefined && !taken.some((other) => overlaps(cidr, other));
  });
  if (free === undefined)
    throw new NodesError("Cannot choose a node subnet: all of 10.89.0.0/16 is in use, free a range or remove clusters");
  return free;
}

/** Where everything of a cluster with this subnet lies. The host has the first address, node 1 the second. */
export function placeNodes(names: ClusterNames, subnet: string, nodes: number): NodeNetwork {
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MAX_NODES) {
    throw new NodesError(`Cannot make ${nodes} nodes: wanted between 1 and ${MAX_NODES}`);
  }
  const cidr = parseCidr(subnet);
  if (cidr?.family !== 4 || cidr.prefix > 24)
    throw new NodesError(`Cannot use node subnet "${subnet}": wanted an IPv4 range of /24 or larger`);
  return {
    cluster: names.cluster,
    bridge: names.bridge,
    subnet: formatCidr(cidr),
    hostAddress: addressIn(cidr, 1),
    nodes: Array.from({ length: nodes }, (_, index) => {
      const name = names.nodeName(index + 1);
      const netns = names.netns(name);
      return { number: index + 1, name, netns, netnsPath: `/run/netns/${netns}`, address: addressIn(cidr, index + 2) };
    }),
  };
}

/** The subnet of the cluster's bridge, where it already stands. Throws where a link of that name is not ours. */
export function presentSubnet(names: ClusterNames, links: readonly HostLink[]): string | undefined {
  const bridge = links.find(({ name }) => name === names.bridge);
  if (bridge === undefined) return undefined;
  if (!names.ownsLink(bridge)) {
    throw new NodesError(
      `Cannot make bridge "${names.bridge}": it belongs to "${bridge.altnames.join(", ")}", choose another cluster name`,
    );
  }
  const [first] = bridge.addresses;
  const cidr = first && parseCidr(`${first.address}/${first.prefix}`);
  return cidr && formatCidr(cidr);
}

/** Whether another cluster's bridge carries the claim on this subnet. */
export function isClaimedByOther(names: ClusterNames, network: NodeNetwork, links: readonly HostLink[]): boolean {
  const claim = names.subnetClaim(network.subnet.slice(0, network.subnet.indexOf("/")));
  return links.some(({ name, altnames }) => name !== names.bridge && altnames.includes(claim));
}
