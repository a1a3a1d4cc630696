import { type Family, parseAddress, parseCidr } from "./cidr.ts";

/** What routing needs to know of a node of the cluster. */
export interface NodeRoutes {
  readonly name: string;
  /** Internal addresses, at most one used of each family: the first. */
  readonly addresses: readonly string[];
  readonly podCidrs: readonly string[];
}

/** One route of ours. With neither gateway nor device it refuses: packets to it are answered with "unreachable". */
export interface Route {
  readonly family: Family;
  readonly destination: string;
  readonly gateway: string | undefined;
  readonly device?: string;
}

/**
 * Service addresses are routed to the node's own link, where nobody answers: the proxy's rules rewrite or reject every such
 * packet on its way. Without the route a node that has no default route would refuse to send before the rules see the packet.
 */
export interface ServiceRoutes {
  readonly cidrs: readonly string[];
  /** The link that has the node's address. */
  readonly device: string;
}

export type RouteChange = { readonly do: "replace" | "delete"; readonly route: Route };

/** The routing protocol number by which routes of ours are told from others. */
export const ROUTE_PROTOCOL = 99;

/**
 * Routes that `self` should have: every other node's pod range by that node's address, and, for the whole cluster's range,
 * a refusal, so that packets to pods that do not exist (yet) never leave by the default route; and the way to Services. Nodes without an address
 * or range of a family get no route of it. Sorted; nothing here depends on the order of `nodes`.
 */
export function planRoutes(
  nodes: readonly NodeRoutes[],
  self: string,
  clusterCidrs: readonly string[],
  services?: ServiceRoutes,
): readonly Route[] {
  const routes = new Map<string, Route>();
  for (const destination of services?.cidrs ?? []) {
    const cidr = parseCidr(destination);
    if (cidr !== undefined && services !== undefined)
      routes.set(destination, { family: cidr.family, destination, gateway: undefined, device: services.device });
  }
  for (const destination of clusterCidrs) {
    const cidr = parseCidr(destination);
    if (cidr !== undefined) routes.set(destination, { family: cidr.family, destination, gateway: undefined });
  }
  for (const { name, addresses, podCidrs } of nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (name === self) continue;
    for (const destination of podCidrs) {
      const family = parseCidr(destination)?.family;
      const gateway = addresses.find((address) => family !== undefined && parseAddress(address)?.family === family);
      if (family !== undefined && gateway !== undefined) routes.set(destination, { family, destination, gateway });
    }
  }
  return [...routes.values()].sort((a, b) => (a.destination < b.destination ? -1 : 1));
}

/** What turns the present routes into the wanted ones. Deletions come first; equal routes are left alone. */
export function diffRoutes(present: readonly Route[], wanted: readonly Route[]): readonly RouteChange[] {
  const keyOf = ({ family, destination }: Route) => `${family} ${destination}`;
  const wantedByKey = new Map(wanted.map((route) => [keyOf(route), route]));
  const presentByKey = new Map(present.map((route) => [keyOf(route), route]));
  const changes: RouteChange[] = [];
  for (const [key, route] of presentByKey) {
    const next = wantedByKey.get(key);
    // A refusal and a route by a gateway are different routes to the kernel: replacing one leaves the other in place.
    if (next === undefined || refuses(next) !== refuses(route)) changes.push({ do: "delete", route });
  }
  for (const [key, route] of wantedByKey) {
    const known = presentByKey.get(key);
    if (known?.gateway !== route.gateway || known?.device !== route.device || known === undefined) changes.push({ do: "replace", route });
  }
  return changes;
}

function refuses(route: Route): boolean {
  return route.gateway === undefined && route.device === undefined;
}
