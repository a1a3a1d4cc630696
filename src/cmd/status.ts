import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { readKubeconfig } from "#client/kubeconfig.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { type ClusterPlace, type Roots, listClusterNames, nameFlag, placeOf, readClusterConfig, requireCluster } from "./cluster.ts";
import { findSupervised } from "./supervise.ts";
import { isReady, nodeClient } from "./wait.ts";

export interface ClusterStatus {
  readonly name: string;
  readonly server: string;
  readonly programs: readonly { readonly name: string; readonly pid: number | undefined }[];
  readonly nodes:
    | readonly { readonly name: string; readonly ready: boolean; readonly address: string }[]
    | { readonly unreachable: string };
}

/** What runs of one cluster, and what its API server says of the nodes. */
export async function clusterStatus(place: ClusterPlace, clock: Clock, signal: AbortSignal): Promise<ClusterStatus> {
  const config = await requireCluster(place);
  const agents = config.simulate ? [] : Array.from({ length: config.nodes }, (_, i) => `agent-node-${i + 1}`);
  const programs = await Promise.all(
    ["server", ...agents].map(async (name) => ({ name, pid: (await findSupervised(join(place.run, `${name}.pid`)))?.program })),
  );
  const access = await readKubeconfig(place.kubeconfig);
  return { name: config.name, server: access.server, programs, nodes: await nodes() };

  async function nodes(): Promise<ClusterStatus["nodes"]> {
    await using client = nodeClient(access, clock);
    try {
      const { items } = await client.list(NodeKind, {}, AbortSignal.any([signal, AbortSignal.timeout(5000)]));
      return items.map((node) => ({
        name: node.metadata.name,
        ready: isReady(node),
        address: node.status?.addresses?.find((a) => a.type === "InternalIP")?.address ?? "",
      }));
    } catch (cause) {
      return { unreachable: cause instanceof Error ? cause.message : String(cause) };
    }
  }
}

export function isHealthy(status: ClusterStatus): boolean {
  return status.programs.every(({ pid }) => pid !== undefined) && "length" in status.nodes && status.nodes.every(({ ready }) => ready);
}

export function formatStatus(status: ClusterStatus): string {
  const nodes =
    "unreachable" in status.nodes
      ? [`  API server does not answer: ${status.nodes.unreachable}`]
      : status.nodes.map(({ name, ready, address }) => `  ${name.padEnd(12)} ${ready ? "Ready   " : "NotReady"} ${address}`);
  const programs = status.programs.map(
    ({ name, pid }) => `  ${name.padEnd(12)} ${pid === undefined ? "not running" : `running (pid ${pid})`}`,
  );
  const advice = isHealthy(status) ? [] : [`Run "navarch up${nameFlag(status.name)}" to start what does not run`];
  return [`Cluster ${status.name} at ${status.server}`, "Programs:", ...programs, "Nodes:", ...nodes, ...advice].join("\n");
}

/** One line a cluster, for `navarch status` when there are several. */
export async function listStatus(roots: Roots): Promise<string[]> {
  const names = await listClusterNames(roots);
  const configs = await Promise.all(names.map((name) => readClusterConfig(placeOf(roots, name))));
  return configs.flatMap((config) =>
    config === undefined ? [] : [`${config.name}: ${config.nodes} ${config.simulate ? "simulated " : ""}nodes`],
  );
}
