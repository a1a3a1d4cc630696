import { readdir, readFile, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { hasCode } from "#base/node/files.ts";
import { isBelow, mountsBelow, unmountBelow } from "#cri/containerd/mounts.ts";
import { listProcesses, networkNamespaceOf, type RunningProcess, readProcess, sendSignal } from "#cri/containerd/processes.ts";
import { NodesError } from "./error.ts";
import { bridgeRules } from "./host-firewall.ts";
import { readHostState, readTables } from "./host.ts";
import { type ClusterNames, clusterNames } from "./names.ts";
import { removeNodeNetwork } from "./network.ts";

/** One thing of a cluster that is still on this machine. Routes are not listed: they go with their link. */
export interface Remain {
  readonly kind: "process" | "namespace" | "link" | "nftables table" | "iptables rule" | "mount" | "cgroup";
  readonly name: string;
}

export interface RemainsOptions {
  readonly cluster: string;
  /** The cluster's state and run directories: mounts below them, and containerds and shims that name them, are the cluster's. */
  readonly directories: readonly string[];
}

const KILL_WITHIN_MS = 10_000;
const CGROUPS = "/sys/fs/cgroup";

/** Everything of a cluster that is still there; empty after a complete removal. Changes nothing. */
export async function verifyRemoved({ cluster, directories }: RemainsOptions, signal: AbortSignal): Promise<readonly Remain[]> {
  const names = clusterNames(cluster);
  const [state, tables, rules, mounts, cgroups, processes] = await Promise.all([
    readHostState(signal),
    readTables(signal),
    bridgeRules(names, signal),
    mountsBelow(directories),
    findCgroups(names),
    findProcesses(names, directories),
  ]);
  const of = (kind: Remain["kind"], found: readonly string[]) => found.map((name): Remain => ({ kind, name }));
  return [
    ...of(
      "process",
      processes.map(({ pid, args }) => `${pid} ${args.join(" ").slice(0, 120)}`),
    ),
    ...of(
      "namespace",
      state.netns.filter((netns) => names.nodeOfNetns(netns) !== undefined),
    ),
    ...of(
      "link",
      state.links.filter(names.ownsLink).map(({ name }) => name),
    ),
    ...of(
      "nftables table",
      tables.filter((table) => table === names.table),
    ),
    ...of("iptables rule", rules),
    ...of("mount", mounts),
    ...of("cgroup", cgroups),
  ];
}

/**
 * Removes what is left of a cluster: kills its processes, then its network, mounts and cgroups. Files stay. May run again, and
 * after a crash at any point. Returns what could not be removed, empty when all is gone.
 */
export async function removeRemains({ clock }: { clock: Clock }, options: RemainsOptions, signal: AbortSignal): Promise<readonly Remain[]> {
  const names = clusterNames(options.cluster);
  const deadline = clock.now() + KILL_WITHIN_MS;
  for (;;) {
    const processes = await findProcesses(names, options.directories);
    if (processes.length === 0) break;
    if (clock.now() > deadline)
      throw new NodesError(`Cannot remove cluster "${options.cluster}": ${processes.length} processes outlive SIGKILL`);
    // Shims last: they reap their containers at once, where an orphan waits for the machine's init.
    const others = processes.filter(({ args }) => !basename(args[0] ?? "").startsWith("containerd-shim"));
    for (const { pid } of others.length > 0 ? others : processes) sendSignal(pid, "SIGKILL");
    await clock.sleep(10, signal);
    signal.throwIfAborted();
  }
  await unmountBelow(options.directories, signal);
  await removeNodeNetwork(options.cluster, signal);
  for (let attempt = 0; attempt < 20; attempt++) {
    const cgroups = await findCgroups(names);
    if (cgroups.length === 0) break;
    for (const path of cgroups.toReversed()) await removeCgroup(path);
    await clock.sleep(attempt === 0 ? 0 : 25, signal); // the kernel lets go of a killed process's group a moment later
  }
  return verifyRemoved(options, signal);
}

/**
 * Processes of a cluster: those marked in their environment, those in a node's namespace or in the cluster's cgroups, and containerds and shims whose
 * arguments name its directories. Never this process or one it descends from.
 */
async function findProcesses(names: ClusterNames, directories: readonly string[]): Promise<readonly RunningProcess[]> {
  const namespaces = new Set<number>();
  for (const netns of (await readNames("/run/netns")).filter((name) => names.nodeOfNetns(name) !== undefined)) {
    const inode = await networkNamespaceOf(`/run/netns/${netns}`);
    if (inode !== undefined) namespaces.add(inode);
  }
  const ours = new Set<number>();
  for (let pid = process.pid; pid > 1 && !ours.has(pid); pid = (await readProcess(pid))?.parent ?? 0) ours.add(pid);
  const mark = `NAVARCH_MEMBER_OF=${names.cluster}`;
  const segment = names.cgroup.slice(1);
  const belongs = async ({ pid, args }: RunningProcess) => {
    if (ours.has(pid)) return false;
    const [environment, cgroup, inode] = await Promise.all([
      readText(`/proc/${pid}/environ`),
      readText(`/proc/${pid}/cgroup`),
      networkNamespaceOf(pid),
    ]);
    return (
      environment.split("\0").includes(mark) ||
      cgroup.split("\n").some((line) => line.split(/[:/]/).includes(segment)) ||
      (inode !== undefined && namespaces.has(inode)) ||
      (basename(args[0] ?? "").startsWith("containerd") && args.some((arg) => directories.some((directory) => isBelow(arg, directory))))
    );
  };
  const all = await listProcesses();
  const marks = await Promise.all(all.map(belongs));
  return all.filter((_, index) => marks[index]);
}

/** The cluster's cgroups in every hierarchy, parents before children. */
async function findCgroups(names: ClusterNames): Promise<readonly string[]> {
  const hierarchies = [CGROUPS, ...(await readNames(CGROUPS)).map((name) => join(CGROUPS, name))];
  const found: string[] = [];
  for (const hierarchy of hierarchies) {
    if ((await readNames(hierarchy)).includes(names.cgroup.slice(1))) await walk(join(hierarchy, names.cgroup));
  }
  return found;

  async function walk(path: string) {
    found.push(path);
    for (const child of await readdir(path, { withFileTypes: true })) if (child.isDirectory()) await walk(join(path, child.name));
  }
}

async function removeCgroup(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (cause) {
    if (!hasCode(cause, "ENOENT", "EBUSY")) throw cause; // busy: the caller tries again
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "ESRCH", "EACCES")) return "";
    throw cause;
  }
}

async function readNames(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "ENOTDIR")) return [];
    throw cause;
  }
}
