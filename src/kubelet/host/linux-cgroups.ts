import { mkdir, readdir, rmdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { hasCode } from "#base/node/files.ts";
import type { CgroupHost } from "../contract.ts";

const ROOT = "/sys/fs/cgroup";
const CPU_PERIOD_US = 100_000;
/** The kernel lets go of a cgroup a moment after its last process. */
const REMOVE_TRIES = 50;
const REMOVE_WAIT_MS = 20;

/**
 * Cgroups through the file system. On version 1 `apply` sets the limits of the pod as a whole; on version 2 it only makes sure
 * that nothing is needed: runc makes the parents, and every container carries its own limits.
 */
export function createLinuxCgroups({ clock }: { readonly clock: Clock }): CgroupHost {
  return {
    async apply(path, { cpuShares, cpuQuota, memoryBytes }) {
      if (await isUnified()) return;
      const cpu = join(ROOT, "cpu", path);
      await mkdir(cpu, { recursive: true });
      await writeFile(join(cpu, "cpu.shares"), String(cpuShares));
      if (cpuQuota !== undefined) {
        await writeFile(join(cpu, "cpu.cfs_period_us"), String(CPU_PERIOD_US));
        await writeFile(join(cpu, "cpu.cfs_quota_us"), String(cpuQuota));
      }
      if (memoryBytes !== undefined) {
        const memory = join(ROOT, "memory", path);
        await mkdir(memory, { recursive: true });
        await writeFile(join(memory, "memory.limit_in_bytes"), String(memoryBytes));
      }
    },
    async remove(path, signal) {
      const roots = (await isUnified()) ? [ROOT] : (await readdir(ROOT)).map((controller) => join(ROOT, controller));
      for (const root of roots) await removeBelow(join(root, path), signal);
    },
  };

  async function removeBelow(directory: string, signal: AbortSignal): Promise<void> {
    for (const entry of await entriesOf(directory)) await removeBelow(join(directory, entry), signal);
    for (let tried = 1; ; tried++) {
      try {
        await rmdir(directory);
        return;
      } catch (cause) {
        if (hasCode(cause, "ENOENT", "ENOTDIR")) return;
        if (!hasCode(cause, "EBUSY") || tried === REMOVE_TRIES || signal.aborted) throw cause;
        await clock.sleep(REMOVE_WAIT_MS, signal);
      }
    }
  }
}

async function entriesOf(directory: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "ENOTDIR")) return [];
    throw cause;
  }
}

async function isUnified(): Promise<boolean> {
  try {
    await stat(join(ROOT, "cgroup.controllers"));
    return true;
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return false;
    throw cause;
  }
}
