import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { CriRuntime } from "#cri/contract.ts";
import type { NodeHost } from "./contract.ts";
import type { RuntimeLister } from "./runtime-lister.ts";

export interface LogRotationDeps {
  readonly cri: CriRuntime;
  readonly host: NodeHost;
  readonly lister: RuntimeLister;
  readonly clock: Clock;
  readonly log: Log;
}

const CHECK_MS = 10_000;

/** Keeps the logs of running containers below `maxBytes` each, in at most `maxFiles` files, until `signal` aborts. */
export async function runLogRotation(
  { cri, host, lister, clock, log }: LogRotationDeps,
  { maxBytes, maxFiles }: { readonly maxBytes: number; readonly maxFiles: number },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(CHECK_MS, signal);
    for (const { containers } of lister.all()) {
      for (const container of containers) {
        if (signal.aborted) return;
        if (container.state !== "running" || container.logPath === "") continue;
        try {
          if (((await host.fileSize(container.logPath)) ?? 0) > maxBytes) await rotate(container.id, container.logPath);
        } catch (cause) {
          if (signal.aborted) return;
          log.warn("Container log not rotated", { container: container.id, cause });
        }
      }
    }
  }

  /** `0.log` becomes `0.log.20300101-000000`; the oldest go. */
  async function rotate(containerId: string, path: string) {
    const slash = path.lastIndexOf("/");
    const [directory, name] = [path.slice(0, slash), path.slice(slash + 1)];
    const old = (await host.list(directory)).filter((each) => each.startsWith(`${name}.`)).toSorted();
    for (const each of old.slice(0, Math.max(0, old.length - (maxFiles - 2)))) await host.removeTree(`${directory}/${each}`, signal);
    const stamp = new Date(clock.now()).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
    const rotated = `${path}.${stamp}`;
    await host.rename(path, rotated);
    try {
      await cri.reopenContainerLog(containerId, { signal });
    } catch (cause) {
      await host.rename(rotated, path); // the runtime still writes there
      throw cause;
    }
  }
}
