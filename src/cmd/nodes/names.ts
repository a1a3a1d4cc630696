import { createHash } from "node:crypto";
import { NodesError } from "./error.ts";

/**
 * Everything a cluster makes on this machine, by name. Nothing else is ever removed.
 *
 * N1. Names of two clusters never coincide: node names are `node-<number>`, so no cluster's namespaces can be read as another's.
 * N2. Links carry a hash, as the kernel holds 15 characters; alternative names hold the cluster's name. The kernel keeps those unique,
 *     so they also serve as claims: two clusters never hold one subnet.
 */
export interface ClusterNames {
  readonly cluster: string;
  readonly bridge: string;
  /** Alternative name of the bridge. */
  readonly owner: string;
  /** nftables table of the family `inet`. */
  readonly table: string;
  /** Below every cgroup hierarchy; what the nodes give as parent of their pods, with the node's name added. */
  readonly cgroup: string;
  /** Set in the environment of every process of the cluster that runs outside of containers. */
  readonly environment: { readonly NAVARCH_MEMBER_OF: string };
  nodeName(number: number): string;
  netns(node: string): string;
  /** The host's end of a node's cable. */
  hostLink(number: number): string;
  /** Alternative name of the bridge whose subnet begins with this address. */
  subnetClaim(first: string): string;
  /** Whether a link is this cluster's: its name is, and it does not carry another cluster's. */
  ownsLink(link: { readonly name: string; readonly altnames: readonly string[] }): boolean;
  /** Whether a network namespace is one of this cluster's, and of which node. */
  nodeOfNetns(netns: string): string | undefined;
}

const CLUSTER_NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;
export const MAX_NODES = 250;

export function clusterNames(cluster: string): ClusterNames {
  if (!CLUSTER_NAME.test(cluster)) {
    throw new NodesError(
      `Cannot use cluster name "${cluster}": wanted at most 40 lower case letters, digits and dashes, no dash at the ends`,
    );
  }
  const hash = createHash("sha256").update(cluster).digest("hex").slice(0, 8);
  const prefix = `navarch-${cluster}-`;
  return {
    cluster,
    bridge: `nv-${hash}`,
    owner: `navarch-${cluster}`,
    table: `navarch-${cluster}`,
    cgroup: `/navarch-${cluster}`,
    environment: { NAVARCH_MEMBER_OF: cluster },
    nodeName: (number) => `node-${number}`,
    netns: (node) => `${prefix}${node}`,
    hostLink: (number) => `nv-${hash}-${number}`,
    subnetClaim: (first) => `nvnet-${first}`,
    ownsLink: ({ name, altnames }) =>
      (name === `nv-${hash}` || (name.startsWith(`nv-${hash}-`) && /^\d+$/.test(name.slice(`nv-${hash}-`.length)))) &&
      altnames.every((other) => !other.startsWith("navarch-") || other === `navarch-${cluster}`),
    nodeOfNetns(netns) {
      const node = netns.startsWith(prefix) ? netns.slice(prefix.length) : "";
      return /^node-\d+$/.test(node) ? node : undefined; // N1
    },
  };
}
