import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { exec } from "#base/node/exec.ts";
import { hasCode } from "#base/node/files.ts";
import { ensureImages, type PackedArchive } from "./import-image.ts";
import { type ContainerdLayout, containerdLayout } from "./layout.ts";
import { renderContainerdConfig, type Snapshotter } from "./render.ts";
import { startContainerd } from "./start.ts";
import { stopContainerd } from "./stop.ts";

export interface SeedOptions {
  /** Where seeds are kept: on the file system of the nodes' data directories, as planting makes hard links. */
  readonly directory: string;
  readonly archives: readonly PackedArchive[];
  readonly snapshotter: Snapshotter;
  /** As startContainerd: marks of the cluster it works for, should it be killed half-way. */
  readonly env?: Readonly<Record<string, string>>;
}

const KEPT = 3;

/**
 * Makes, once, a containerd root that has all these images imported and unpacked, and returns its path. A node's root planted from it is
 * ready in milliseconds, where an import takes seconds for each node, and nodes share the disk blocks and the page cache of their
 * images: blobs and committed snapshots are never written again. The newest three seeds are kept; roots planted from others go on.
 */
export async function prepareSeed({ clock }: { clock: Clock }, options: SeedOptions, signal: AbortSignal): Promise<string> {
  const { directory, archives, snapshotter, env } = options;
  const version = await exec(["containerd", "--version"], { signal });
  const images = archives.map(({ name, manifestDigest }) => `${name}@${manifestDigest}`).sort();
  const key = createHash("sha256")
    .update(JSON.stringify([version, snapshotter, images]))
    .digest("hex")
    .slice(0, 16);
  const seed = join(directory, `seed-${key}`);
  if (await exists(seed)) return seed;

  await mkdir(directory, { recursive: true });
  const dataDir = await mkdtemp(join(directory, ".seed-"));
  const runDir = await mkdtemp(join(tmpdir(), "nv-seed-")); // short, for the socket
  const layout = containerdLayout({ dataDir, runDir });
  try {
    const config = renderContainerdConfig({
      layout,
      snapshotter,
      sandboxImage: "none",
      cniBinDir: "/nonexistent",
      cniConfDir: "/nonexistent",
      restrictOomScoreAdj: true,
      registryConfigDir: "/nonexistent",
    });
    const { socket } = await startContainerd({ clock }, { layout, config, ...(env === undefined ? {} : { env }) }, signal);
    await ensureImages({ clock }, { socket, snapshotter, archives }, signal);
    await stopContainerd({ clock }, layout, signal);
    await rename(layout.root, seed).catch((cause: unknown) => {
      if (!hasCode(cause, "ENOTEMPTY", "EEXIST")) throw cause; // another start was faster with the same images
    });
  } finally {
    await stopContainerd({ clock }, layout, new AbortController().signal);
    await Promise.all([dataDir, runDir].map((path) => rm(path, { recursive: true, force: true })));
  }
  await prune(directory);
  return seed;
}

async function prune(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => /^seed-[0-9a-f]{16}$/.test(name));
  const seeds = await Promise.all(
    names.map(async (name) => ({ path: join(directory, name), made: (await stat(join(directory, name))).mtimeMs })),
  );
  for (const { path } of seeds.sort((a, b) => b.made - a.made).slice(KEPT)) await rm(path, { recursive: true, force: true });
}

/**
 * Gives a node that has no containerd root yet one from the seed; false where it has one already. Databases are copied, all
 * else is linked. Must not run while a containerd uses the layout.
 */
export async function plantSeed(seed: string, { root }: Pick<ContainerdLayout, "root">, signal: AbortSignal): Promise<boolean> {
  if (await exists(root)) return false;
  const growing = `${root}.growing`;
  await rm(growing, { recursive: true, force: true });
  await mkdir(growing, { recursive: true, mode: 0o711 });
  await exec(["cp", "--archive", "--link", `${seed}/.`, growing], { signal });
  for (const plugin of await readdir(growing, { withFileTypes: true })) {
    if (!plugin.isDirectory()) continue;
    for (const name of await readdir(join(growing, plugin.name))) {
      if (!name.endsWith(".db")) continue;
      const path = join(growing, plugin.name, name);
      await rm(path);
      await copyFile(join(seed, plugin.name, name), path);
    }
  }
  await rename(growing, root);
  return true;
}

async function exists(directory: string): Promise<boolean> {
  try {
    await readdir(directory);
    return true;
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return false;
    throw cause;
  }
}
