import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { hasCode } from "#base/node/files.ts";
import { ContainerdError } from "./error.ts";
import type { ContainerdLayout } from "./layout.ts";
import { unmountBelow } from "./mounts.ts";
import { descendantsOf, listProcesses, type RunningProcess, sendSignal } from "./processes.ts";

const KILL_WITHIN_MS = 10_000;

/** Where every containerd puts its shims' sockets, whatever its own state directory. */
const SHIM_SOCKETS = "/run/containerd/s";

/**
 * Ends a containerd of ours with its shims and containers (SIGKILL: whoever wants their goodbye stops pods first),
 * unmounts what is below its directories and removes `state`, sockets and pid file. Images and snapshots in `root` stay.
 * Works also when the daemon is gone and only shims are left, and when nothing is left.
 */
export async function stopContainerd({ clock }: { clock: Clock }, layout: ContainerdLayout, signal: AbortSignal): Promise<void> {
  const sockets = await shimSockets(layout);
  const deadline = clock.now() + KILL_WITHIN_MS;
  for (;;) {
    signal.throwIfAborted();
    const all = await listProcesses();
    const daemons = all.filter((found) => isDaemon(found, layout));
    const shims = all.filter((found) => isShim(found, layout));
    const contained = descendantsOf(new Set(shims.map(({ pid }) => pid)), all);
    if (daemons.length + shims.length + contained.length === 0) break;
    if (clock.now() > deadline) {
      const left = [...daemons, ...shims, ...contained].map(({ pid, args }) => `${pid} (${args[0] ?? "?"})`).join(", ");
      throw new ContainerdError(`Cannot stop containerd: processes ${left} outlive SIGKILL, wanted none`);
    }
    // The daemon first, so that it starts nothing new; a shim only after its containers, which it would otherwise hand to init.
    for (const { pid } of daemons) sendSignal(pid, "SIGKILL");
    for (const { pid } of contained) sendSignal(pid, "SIGKILL");
    if (contained.length === 0) for (const { pid } of shims) sendSignal(pid, "SIGKILL");
    await clock.sleep(10, signal);
  }
  await unmountBelow([layout.state, layout.root], signal);
  await Promise.all(
    [layout.state, layout.socket, `${layout.socket}.ttrpc`, layout.pid, ...sockets].map((path) =>
      rm(path, { recursive: true, force: true }),
    ),
  );
  for (const path of [SHIM_SOCKETS, "/run/containerd"]) await removeIfEmpty(path);
}

function isDaemon({ args }: RunningProcess, { config }: ContainerdLayout): boolean {
  return args.some((arg, index) => arg === "--config" && args[index + 1] === config);
}

function isShim({ args }: RunningProcess, { socket }: ContainerdLayout): boolean {
  return args.some((arg, index) => arg === "-address" && args[index + 1] === socket);
}

/** Sockets of this instance's shims: each task's bundle names its own. */
async function shimSockets({ state }: ContainerdLayout): Promise<readonly string[]> {
  const tasks = join(state, "io.containerd.runtime.v2.task");
  const sockets: string[] = [];
  for (const namespace of await namesIn(tasks)) {
    for (const id of await namesIn(join(tasks, namespace))) {
      const address = await readFile(join(tasks, namespace, id, "address"), "utf8").catch((cause: unknown) => {
        if (hasCode(cause, "ENOENT")) return "";
        throw cause;
      });
      const path = address.trim().replace(/^unix:\/\//, "");
      if (path.startsWith(`${SHIM_SOCKETS}/`)) sockets.push(path);
    }
  }
  return sockets;
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return [];
    throw cause;
  }
}

async function removeIfEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (cause) {
    if (!hasCode(cause, "ENOENT", "ENOTEMPTY", "EEXIST")) throw cause;
  }
}
