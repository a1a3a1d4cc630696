import { readFile, writeFile } from "node:fs/promises";
import { exec, execResult } from "#base/node/exec.ts";
import { NodesError } from "./error.ts";
import { admitBridge, dismissBridge } from "./host-firewall.ts";
import { hasChain, readHostState, readTables } from "./host.ts";
import { type ClusterNames, clusterNames } from "./names.ts";
import { type HostState, type NodeNetwork, pickSubnet, placeNodes, isClaimedByOther, presentSubnet } from "./plan.ts";
import { FORWARDING_MARK, renderHostLinks, renderHostTable, renderNodeScript } from "./render.ts";

export interface NodeNetworkOptions {
  readonly cluster: string;
  readonly nodes: number;
  /** Whether nodes have a way out of this machine. */
  readonly egress: boolean;
  /** Ranges the node subnet must keep clear of: pods, services. */
  readonly avoid?: readonly string[];
}

const IP_FORWARD = "/proc/sys/net/ipv4/ip_forward";
const ATTEMPTS = 10;

/**
 * Makes the network of a cluster whose nodes are namespaces of this machine: one bridge, one nftables table, and for each
 * node a namespace with a cable to the bridge. What is there already stays, so that it may run again, also with more nodes
 * or another `egress`. Two clusters made at the same moment never share a subnet. On failure what was made stays, for removeNodeNetwork.
 */
export async function createNodeNetwork(options: NodeNetworkOptions, signal: AbortSignal): Promise<NodeNetwork> {
  const names = clusterNames(options.cluster);
  const avoid = [...(options.avoid ?? [])];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const state = await readHostState(signal);
    const present = presentSubnet(names, state.links);
    if (present === undefined && state.links.some(names.ownsLink)) {
      await removeNodeNetwork(options.cluster, signal); // what an interrupted start left behind has no claim on a subnet
      continue;
    }
    const network = placeNodes(names, present ?? pickSubnet(state.ranges, avoid), options.nodes);
    const made = await execResult(["ip", "-batch", "-"], { signal, input: `${renderHostLinks(names, network, state).join("\n")}\n` });
    if (made.code !== 0) {
      const taken = present === undefined && isClaimedByOther(names, network, (await readHostState(signal)).links); // N2
      if (!taken) throw new NodesError(`Cannot make the network of cluster "${options.cluster}": ${made.stderr.trim()}`);
      avoid.push(network.subnet);
      await removeNodeNetwork(options.cluster, signal);
      continue;
    }
    await Promise.all([
      applyHostTable(names, network, options.egress, signal),
      admitBridge(names, signal),
      ...network.nodes.map(async (node) => {
        const script = renderNodeScript(network, node, options.egress);
        await exec(["nsenter", `--net=${node.netnsPath}`, "sh", "-s"], { signal, input: script });
      }),
    ]);
    return network;
  }
  throw new NodesError(
    `Cannot make the network of cluster "${options.cluster}": other clusters took ${ATTEMPTS} subnets in a row, try again`,
  );
}

/** The network of a cluster as it stands; undefined where it has no bridge. */
export async function findNodeNetwork(cluster: string, signal: AbortSignal): Promise<NodeNetwork | undefined> {
  const names = clusterNames(cluster);
  const state = await readHostState(signal);
  const subnet = presentSubnet(names, state.links);
  const numbers = state.netns.flatMap((netns) => Number(names.nodeOfNetns(netns)?.slice("node-".length) ?? []));
  return subnet === undefined || numbers.length === 0 ? undefined : placeNodes(names, subnet, Math.max(...numbers));
}

/** Names of all clusters that have a bridge on this machine. */
export async function listClusters(signal: AbortSignal): Promise<readonly string[]> {
  const { links } = await readHostState(signal);
  return links
    .filter(({ name }) => /^nv-[0-9a-f]{8}$/.test(name))
    .flatMap(({ altnames }) => altnames.filter((name) => name.startsWith("navarch-")).map((name) => name.slice("navarch-".length)))
    .sort();
}

/** Removes a cluster's namespaces, links and table, and gives back host forwarding if this cluster had switched it on. May run again. */
export async function removeNodeNetwork(cluster: string, signal: AbortSignal): Promise<void> {
  const names = clusterNames(cluster);
  const [state] = await Promise.all([readHostState(signal), removeHostTable(names, signal), dismissBridge(names, signal)]);
  const lines = renderRemoval(names, state);
  if (lines.length > 0) await exec(["ip", "-batch", "-"], { signal, input: `${lines.join("\n")}\n` });
}

/** Links first: a namespace lets go of its cables only some time after it was deleted. */
export function renderRemoval(names: ClusterNames, state: HostState): readonly string[] {
  return [
    ...state.links.filter(names.ownsLink).map(({ name }) => `link delete dev ${name}`),
    ...state.netns.filter((netns) => names.nodeOfNetns(netns) !== undefined).map((netns) => `netns delete ${netns}`),
  ];
}

async function applyHostTable(names: ClusterNames, network: NodeNetwork, egress: boolean, signal: AbortSignal): Promise<void> {
  const forwards = (await readFile(IP_FORWARD, "utf8")).trim() === "1";
  const marked = await hasChain(names.table, FORWARDING_MARK, signal);
  await exec(["nft", "-f", "-"], { signal, input: renderHostTable(names, network, { egress, mark: marked || !forwards }) });
  if (egress && !forwards) await writeFile(IP_FORWARD, "1");
  if (!egress && marked) await giveBackForwarding(names, signal);
}

async function removeHostTable(names: ClusterNames, signal: AbortSignal): Promise<void> {
  if (!(await readTables(signal)).includes(names.table)) return;
  const marked = await hasChain(names.table, FORWARDING_MARK, signal);
  await exec(["nft", "delete", "table", "inet", names.table], { signal });
  if (marked) await giveBackForwarding(names, signal);
}

/** Another cluster that still needs forwarding inherits the mark; the last one switches it off. */
async function giveBackForwarding(names: ClusterNames, signal: AbortSignal): Promise<void> {
  for (const table of await readTables(signal)) {
    if (!table.startsWith("navarch-") || table === names.table || !(await hasChain(table, "postrouting", signal))) continue;
    await exec(["nft", "add", "chain", "inet", table, FORWARDING_MARK], { signal });
    return;
  }
  await writeFile(IP_FORWARD, "0");
}
