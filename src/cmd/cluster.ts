import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { hasCode, writeFileAtomic } from "#base/node/files.ts";
import type { ProxyMode } from "#proxy/modes.ts";

/** The command cannot do its work for a reason the user can mend: one line that says what was found and what to do. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** What `navarch up` decided about a cluster; kept beside its state so that a later `up` continues it. */
export interface ClusterConfig {
  readonly name: string;
  readonly nodes: number;
  readonly egress: boolean;
  /** Undefined: each node takes the best mode that its kernel can run. */
  readonly proxyMode?: ProxyMode | undefined;
  /** Nodes without containers, for machines without root or containerd. */
  readonly simulate: boolean;
  /** Of the API server. */
  readonly port: number;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly clusterDns: string;
  readonly domain: string;
}

/** Where everything of a cluster lies. State survives a reboot; run files do not. */
export interface ClusterPlace {
  readonly name: string;
  readonly state: string;
  readonly run: string;
  readonly config: string;
  readonly logs: string;
  readonly server: string;
  readonly joinToken: string;
  /** Admin's kubeconfig, written by the server. */
  readonly kubeconfig: string;
  nodeState(node: string): string;
  nodeRun(node: string): string;
}

export interface Roots {
  readonly state: string;
  readonly run: string;
  /** Packed images, shared by all clusters. */
  readonly cache: string;
}

export const CLUSTER_DEFAULTS = {
  clusterCidr: "10.42.0.0/16",
  serviceCidr: "10.43.0.0/16",
  clusterDns: "10.43.0.10",
  domain: "cluster.local",
} as const;

/** System folders for root, the user's own (XDG) otherwise. `NAVARCH_HOME` puts everything below one folder. */
export function rootsOf(env: Readonly<Record<string, string | undefined>>, isRoot: boolean): Roots {
  const home = env["NAVARCH_HOME"];
  if (home !== undefined && home !== "") return { state: join(home, "state"), run: join(home, "run"), cache: join(home, "cache") };
  if (isRoot) return { state: "/var/lib/navarch", run: "/run/navarch", cache: "/var/cache/navarch" };
  const user = env["HOME"] ?? "/tmp";
  const state = join(env["XDG_STATE_HOME"] ?? join(user, ".local/state"), "navarch");
  return {
    state,
    run: join(env["XDG_RUNTIME_DIR"] ?? state, "navarch-run"),
    cache: join(env["XDG_CACHE_HOME"] ?? join(user, ".cache"), "navarch"),
  };
}

export function placeOf(roots: Roots, name: string): ClusterPlace {
  const state = join(roots.state, name);
  const run = join(roots.run, name);
  return {
    name,
    state,
    run,
    config: join(state, "cluster.json"),
    logs: join(state, "logs"),
    server: join(state, "server"),
    joinToken: join(state, "server", "join-token"),
    kubeconfig: join(state, "kubeconfig"),
    nodeState: (node) => join(state, "nodes", node),
    nodeRun: (node) => join(run, node),
  };
}

export async function readClusterConfig(place: ClusterPlace): Promise<ClusterConfig | undefined> {
  try {
    return JSON.parse(await readFile(place.config, "utf8")) as ClusterConfig;
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "ENOTDIR")) return undefined;
    if (cause instanceof SyntaxError)
      throw new CommandError(
        `Cannot read cluster "${place.name}": ${place.config} is damaged, run "navarch down --name ${place.name}" to remove it`,
        { cause },
      );
    throw cause;
  }
}

/** The config, or an error that tells how to make the cluster. */
export async function requireCluster(place: ClusterPlace): Promise<ClusterConfig> {
  const config = await readClusterConfig(place);
  if (config === undefined)
    throw new CommandError(
      `Cannot find cluster "${place.name}": nothing is in ${place.state}, run "navarch up${nameFlag(place.name)}" to make it`,
    );
  return config;
}

export function nameFlag(name: string): string {
  return name === DEFAULT_NAME ? "" : ` --name ${name}`;
}

export const DEFAULT_NAME = "default";

export async function writeClusterConfig(place: ClusterPlace, config: ClusterConfig): Promise<void> {
  await writeFileAtomic(place.config, `${JSON.stringify(config, null, 2)}\n`);
}

/** Names of all clusters that have state here. */
export async function listClusterNames(roots: Roots): Promise<string[]> {
  try {
    return (await readdir(roots.state, { withFileTypes: true }))
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return [];
    throw cause;
  }
}
