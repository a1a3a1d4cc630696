import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exec } from "#base/node/exec.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { silentLog } from "#base/log.ts";
import { connectCri } from "#cri/client.ts";
import type { CriRuntime } from "#cri/contract.ts";
import { ensureImages } from "#cri/containerd/import-image.ts";
import { containerdLayout } from "#cri/containerd/layout.ts";
import { probeRestrictOomScoreAdj, probeSnapshotter } from "#cri/containerd/probe.ts";
import { renderContainerdConfig } from "#cri/containerd/render.ts";
import { startContainerd } from "#cri/containerd/start.ts";
import { stopContainerd } from "#cri/containerd/stop.ts";
import { createLinuxCgroups } from "#kubelet/host/linux-cgroups.ts";
import { unmountBelow } from "#kubelet/host/mounts.ts";
import { renderCniConfig } from "#network/cni-config.ts";
import { packImageCached } from "#oci/cache.ts";
import { busyboxImage } from "#oci/images/busybox.ts";
import { pauseImage } from "#oci/images/pause.ts";
import { writeFileAtomic } from "#base/node/files.ts";

export const BUSYBOX = busyboxImage.name;

export interface ContainerNode extends AsyncDisposable {
  readonly runtime: CriRuntime;
  readonly directory: string;
  /** Root of the cgroups that this node may use. */
  readonly cgroupRoot: string;
  /** Argv prefix that runs a program in the node's network. */
  readonly inNetwork: readonly string[];
}

/** A containerd in a network namespace of its own, with pods on 10.0.1.0/24 and the busybox image. */
export async function openContainerNode(name: string, signal: AbortSignal): Promise<ContainerNode> {
  const clock = systemClock;
  const netns = `navarch-test-${name}`;
  const directory = await mkdtemp(join(tmpdir(), `navarch-${name}-`));
  const layout = containerdLayout({ dataDir: `${directory}/data`, runDir: `${directory}/run` });
  const cniConfDir = `${directory}/cni`;
  const never = new AbortController().signal;
  const cgroupRoot = `/navarch-test-${name}`;

  await exec(["ip", "netns", "add", netns], { signal });
  const dispose = async () => {
    await stopContainerd({ clock }, layout, never);
    await exec(["ip", "netns", "delete", netns], { signal: never });
    await createLinuxCgroups({ clock }).remove(cgroupRoot, never);
    await unmountBelow(directory, never);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const inNetwork = ["nsenter", `--net=/run/netns/${netns}`] as const;
    await exec(["ip", "-n", netns, "link", "set", "lo", "up"], { signal });
    await exec([...inNetwork, "sysctl", "-qw", "net.ipv4.ip_forward=1"], { signal });
    await mkdir(cniConfDir, { recursive: true });
    await writeFileAtomic(
      `${cniConfDir}/10-navarch.conflist`,
      renderCniConfig({ podCidrs: ["10.0.1.0/24"], leaseDir: `${directory}/leases` }),
    );
    const snapshotter = await probeSnapshotter(directory, signal);
    const config = renderContainerdConfig({
      layout,
      sandboxImage: pauseImage.name,
      snapshotter,
      cniBinDir: "/usr/lib/cni",
      cniConfDir,
      restrictOomScoreAdj: await probeRestrictOomScoreAdj(signal),
      registryConfigDir: `${directory}/registries`,
    });
    await startContainerd({ clock }, { layout, config, netns: `/run/netns/${netns}` }, signal);
    const cache = join(tmpdir(), "navarch-test-images");
    const archives = [];
    for (const spec of [pauseImage, busyboxImage]) archives.push(await packImageCached(spec, { directory: cache, signal }));
    await ensureImages({ clock }, { socket: layout.socket, snapshotter, archives }, signal);
    const runtime = connectCri({ socketPath: layout.socket, log: silentLog });
    return {
      runtime,
      directory,
      cgroupRoot,
      inNetwork,
      async [Symbol.asyncDispose]() {
        await runtime[Symbol.asyncDispose]();
        await dispose();
      },
    };
  } catch (cause) {
    await dispose();
    throw cause;
  }
}
