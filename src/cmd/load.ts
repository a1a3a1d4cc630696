import type { Clock } from "#base/clock.ts";
import { importImage } from "#cri/containerd/import-image.ts";
import { containerdLayout } from "#cri/containerd/layout.ts";
import { probeSnapshotter } from "#cri/containerd/probe.ts";
import { inspectArchive } from "#oci/archive.ts";
import { type ClusterPlace, CommandError, requireCluster } from "./cluster.ts";
import type { Progress } from "./progress.ts";

/** Brings a docker-archive or OCI archive into every node of a cluster; resolves with the image names. */
export async function loadImage(
  place: ClusterPlace,
  archivePath: string,
  { progress, clock }: { readonly progress: Progress; readonly clock: Clock },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const config = await requireCluster(place);
  if (config.simulate)
    throw new CommandError(`Cannot load "${archivePath}": nodes of cluster "${config.name}" are simulated and hold no images`);
  const contents = await inspectArchive(archivePath, { signal });
  const unnamed = contents.images.every(({ references }) => references.length === 0);
  const repository = unnamed ? `docker.io/library/${archiveStem(archivePath)}` : undefined;
  const names = new Set<string>();
  for (let n = 1; n <= config.nodes; n++) {
    const node = `node-${n}`;
    const { socket } = containerdLayout({ dataDir: place.nodeState(node), runDir: place.nodeRun(node) });
    const snapshotter = await probeSnapshotter(place.nodeState(node), signal);
    const loaded = await progress.step(`Load ${archivePath} into ${node}`, () =>
      importImage({ clock }, { socket, snapshotter, archivePath, ...(repository === undefined ? {} : { repository }) }, signal),
    );
    for (const name of loaded) names.add(name);
  }
  return [...names];
}

function archiveStem(path: string): string {
  const stem = (path.split("/").at(-1) ?? "").replace(/\.(tar|tgz|tar\.gz)$/, "").toLowerCase();
  return stem.replaceAll(/[^a-z0-9._-]+/g, "-").replace(/^[-._]+|[-._]+$/g, "") || "image";
}
