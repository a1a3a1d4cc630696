import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, statfs, writeFile } from "node:fs/promises";
import { arch, cpus, freemem, release, totalmem } from "node:os";
import { dirname } from "node:path";
import type { Clock } from "#base/clock.ts";
import { hasCode } from "#base/node/files.ts";
import type { NodeHost } from "../contract.ts";
import { createLinuxCgroups } from "./linux-cgroups.ts";
import { createLinuxVolumes, type LinuxVolumesOptions } from "./linux-volumes.ts";
import { unmountBelow } from "./mounts.ts";

export interface LinuxHostOptions extends LinuxVolumesOptions {
  /** On the file system whose space the node offers. */
  readonly rootDirectory: string;
  /** @default "/etc/resolv.conf" */
  readonly resolvConf?: string;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };

/** This machine. */
export function createLinuxHost({ clock }: { readonly clock: Clock }, options: LinuxHostOptions): NodeHost {
  const { rootDirectory, resolvConf = "/etc/resolv.conf" } = options;
  return {
    volumes: createLinuxVolumes(options),
    cgroups: createLinuxCgroups({ clock }),
    async facts() {
      const [osRelease, machineId, systemUuid, bootId, pidMax, disk] = await Promise.all([
        read("/etc/os-release"),
        read("/etc/machine-id"),
        read("/sys/class/dmi/id/product_uuid"),
        read("/proc/sys/kernel/random/boot_id"),
        read("/proc/sys/kernel/pid_max"),
        diskOf(rootDirectory),
      ]);
      return {
        cpus: cpus().length,
        memoryBytes: totalmem(),
        ephemeralStorageBytes: disk.capacity,
        architecture: ARCHITECTURES[arch()] ?? arch(),
        kernelVersion: release(),
        osImage: /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? "Linux",
        machineId: machineId.trim(),
        systemUuid: systemUuid.trim(),
        bootId: bootId.trim(),
        pidMax: Number(pidMax.trim()),
      };
    },
    async pressure() {
      const [memory, load, disk] = await Promise.all([read("/proc/meminfo"), read("/proc/loadavg"), diskOf(rootDirectory)]);
      const available = /^MemAvailable:\s+(\d+) kB$/m.exec(memory)?.[1];
      return {
        memoryAvailableBytes: available === undefined ? freemem() : Number(available) * 1024,
        diskAvailableBytes: disk.available,
        diskCapacityBytes: disk.capacity,
        pidsUsed: Number(/\/(\d+)/.exec(load)?.[1] ?? 0),
      };
    },
    resolvConf: () => read(resolvConf),
    async makeDirectory(path) {
      await mkdir(path, { recursive: true, mode: 0o755 });
    },
    async writeFile(path, content, { mode = 0o644 }) {
      await mkdir(dirname(path), { recursive: true, mode: 0o755 });
      await writeFile(path, content, { mode });
      await chmod(path, mode); // not at creation alone: the umask would take bits away
    },
    async readTail(path, maxBytes) {
      try {
        const file = await open(path, "r");
        try {
          const { size } = await file.stat();
          const length = Math.min(size, maxBytes);
          const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
          return buffer.subarray(0, bytesRead).toString();
        } finally {
          await file.close();
        }
      } catch (cause) {
        if (hasCode(cause, "ENOENT")) return undefined;
        throw cause;
      }
    },
    async fileSize(path) {
      try {
        return (await stat(path)).size;
      } catch (cause) {
        if (hasCode(cause, "ENOENT")) return undefined;
        throw cause;
      }
    },
    rename,
    async list(directory) {
      try {
        return await readdir(directory);
      } catch (cause) {
        if (hasCode(cause, "ENOENT")) return [];
        throw cause;
      }
    },
    async removeTree(path, signal) {
      await unmountBelow(path, signal);
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** Empty where the machine does not say. */
async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "EACCES")) return "";
    throw cause;
  }
}

async function diskOf(path: string): Promise<{ readonly capacity: number; readonly available: number }> {
  await mkdir(path, { recursive: true });
  const { bsize, blocks, bavail } = await statfs(path);
  return { capacity: bsize * blocks, available: bsize * bavail };
}
