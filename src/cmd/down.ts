import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { hasCode, readIfThere } from "#base/node/files.ts";
import { removeFromKubeconfig } from "#client/kubeconfig.ts";
import { containerdLayout } from "#cri/containerd/layout.ts";
import { stopContainerd } from "#cri/containerd/stop.ts";
import { type ClusterPlace, CommandError, type Roots, placeOf } from "./cluster.ts";
import { removeRemains, verifyRemoved } from "./nodes/remains.ts";
import type { Progress } from "./progress.ts";
import { stopSupervised } from "./supervise.ts";

export interface DownOptions {
  readonly name: string;
  /** Leave the state directory, so that a later `up` continues the cluster. */
  readonly keep: boolean;
  /** File that the context is removed from; "" leaves kubeconfigs alone. */
  readonly kubeconfig: string;
}

export interface DownDeps {
  readonly roots: Roots;
  readonly progress: Progress;
  readonly clock: Clock;
  readonly isRoot: boolean;
}

/** Removes everything of a cluster from this machine and verifies it. A cluster that is not there is no error. */
export async function down(options: DownOptions, { roots, progress, clock, isRoot }: DownDeps, signal: AbortSignal): Promise<void> {
  const place = placeOf(roots, options.name);
  await progress.step("Stop agents and server", () => stopPrograms(place, clock, signal));
  if (isRoot) {
    await progress.step("Stop containers", () => stopNodes(place, clock, signal));
    const remains = { cluster: options.name, directories: [place.state, place.run] };
    const left = await progress.step("Remove namespaces, links, rules, mounts and cgroups", () =>
      removeRemains({ clock }, remains, signal),
    );
    const still = left.length > 0 ? left : await verifyRemoved(remains, signal);
    if (still.length > 0)
      throw new CommandError(
        `Cannot remove cluster "${options.name}": still there are ${still.map(({ kind, name }) => `${kind} ${name}`).join(", ")}`,
      );
  }
  await rm(place.run, { recursive: true, force: true });
  if (!options.keep) await rm(place.state, { recursive: true, force: true });
  if (options.kubeconfig !== "" && (await readIfThere(options.kubeconfig)) !== undefined)
    await removeFromKubeconfig(options.kubeconfig, `navarch-${options.name}`, { clock, signal });
  progress.note(`Cluster "${options.name}" is gone${options.keep ? `; its state is kept in ${place.state}` : ""}`);
}

/** Agents before the server, so that none of them reports a lost server. */
async function stopPrograms(place: ClusterPlace, clock: Clock, signal: AbortSignal): Promise<void> {
  const records = (await namesIn(place.run)).filter((name) => name.endsWith(".pid") && name !== "server.pid");
  await Promise.all(records.map((name) => stopSupervised(join(place.run, name), { clock }, signal)));
  await stopSupervised(join(place.run, "server.pid"), { clock }, signal);
}

async function stopNodes(place: ClusterPlace, clock: Clock, signal: AbortSignal): Promise<void> {
  const nodes = await namesIn(join(place.state, "nodes"));
  await Promise.all(
    nodes.map((node) =>
      stopContainerd({ clock }, containerdLayout({ dataDir: place.nodeState(node), runDir: place.nodeRun(node) }), signal),
    ),
  );
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return [];
    throw cause;
  }
}
