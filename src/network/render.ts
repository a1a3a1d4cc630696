import { type Family, parseCidr } from "./cidr.ts";
import { ROUTE_PROTOCOL, type RouteChange } from "./plan.ts";

/** One line of `ip -batch` for a change. */
export function renderRouteChange({ do: verb, route: { destination, gateway, device } }: RouteChange): string {
  const way = gateway === undefined ? (device === undefined ? undefined : ` dev ${device}`) : ` via ${gateway}`;
  return `route ${verb} ${way === undefined ? "unreachable " : ""}${destination}${way ?? ""} proto ${ROUTE_PROTOCOL}`;
}

export interface EgressOptions {
  /** This node's pod ranges. */
  readonly podCidrs: readonly string[];
  /** Ranges that see pods by their own address: the cluster's pods, the nodes. */
  readonly withoutNat: readonly string[];
}

/** The table on a node that gives pods a way out; replaced as a whole and atomically. */
export const EGRESS_TABLE = "navarch_egress";

/** Text for `nft -f -`: pods that talk to the world outside of the cluster do so by their node's address. */
export function renderEgress({ podCidrs, withoutNat }: EgressOptions): string {
  const rules = ([4, 6] as const).flatMap((family) => {
    const sources = ofFamily(podCidrs, family);
    const inside = ofFamily(withoutNat, family);
    if (sources.length === 0) return [];
    const ip = family === 4 ? "ip" : "ip6";
    const notInside = inside.length === 0 ? "" : ` ${ip} daddr != { ${inside.join(", ")} }`;
    return [`    ${ip} saddr { ${sources.join(", ")} }${notInside} masquerade`];
  });
  return [
    `table inet ${EGRESS_TABLE}`,
    `delete table inet ${EGRESS_TABLE}`,
    `table inet ${EGRESS_TABLE} {`,
    "  chain postrouting {",
    "    type nat hook postrouting priority srcnat + 10; policy accept;",
    ...rules,
    "  }",
    "}",
    "",
  ].join("\n");
}

function ofFamily(cidrs: readonly string[], family: Family): readonly string[] {
  return cidrs.filter((text) => parseCidr(text)?.family === family).toSorted();
}

/**
 * Kernel settings of a node's network namespace: it routes, answers for no address on a wrong link, accepts packets whose way
 * back is another link (Service traffic), and does not tell pods of shorter ways that its own rules would miss.
 */
export const nodeSysctls: Readonly<Record<string, string>> = {
  "net/ipv4/ip_forward": "1",
  "net/ipv4/conf/all/rp_filter": "2",
  "net/ipv4/conf/default/rp_filter": "2",
  "net/ipv4/conf/all/arp_announce": "2",
  "net/ipv4/conf/default/arp_announce": "2",
  "net/ipv4/conf/all/send_redirects": "0",
  "net/ipv4/conf/default/send_redirects": "0",
  "net/ipv6/conf/all/forwarding": "1",
};
