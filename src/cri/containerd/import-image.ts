import type { Clock } from "#base/clock.ts";
import { exec } from "#base/node/exec.ts";
import { ContainerdError } from "./error.ts";
import type { Snapshotter } from "./render.ts";

export interface ImportOptions {
  readonly socket: string;
  readonly snapshotter: Snapshotter;
  readonly archivePath: string;
  /** Repository for archives that give their image a tag alone, such as docker.io/library/kubia. */
  readonly repository?: string;
  /** @default 10 minutes */
  readonly timeoutMs?: number;
}

export interface PackedArchive {
  readonly name: string;
  readonly archivePath: string;
  readonly manifestDigest: string;
}

/** CRI sets this on every image it has taken into its list. */
const TAKEN_BY_CRI = 'labels."io.cri-containerd.image"==managed';
const TAKEN_WITHIN_MS = 10_000;

/** Imports an archive into a containerd, unpacks it, and resolves with the images' names when CRI lists them. */
export async function importImage({ clock }: { clock: Clock }, options: ImportOptions, signal: AbortSignal): Promise<readonly string[]> {
  const { socket, snapshotter, archivePath, repository, timeoutMs = 600_000 } = options;
  const ctr = ["ctr", "--address", socket, "--namespace", "k8s.io", "images"] as const;
  const base = repository === undefined ? [] : ["--base-name", repository];
  const output = await exec([...ctr, "import", "--snapshotter", snapshotter, ...base, archivePath], { signal, timeoutMs });
  const names = parseImported(output);
  if (names.length === 0) throw new ContainerdError(`Cannot import "${archivePath}": it holds no image for this machine's platform`);

  const until = clock.now() + TAKEN_WITHIN_MS;
  for (;;) {
    const taken = parseImageDigests(await exec([...ctr, "list", TAKEN_BY_CRI], { signal }));
    if (names.every((name) => taken.has(name))) return names;
    if (clock.now() > until) throw new ContainerdError(`Cannot import "${archivePath}": CRI does not list ${names.join(", ")}`);
    await clock.sleep(20, signal);
    signal.throwIfAborted();
  }
}

/**
 * Imports those archives that the containerd does not have yet under their name and digest, one after the other in the order given.
 * Resolves with the names imported.
 */
export async function ensureImages(
  deps: { clock: Clock },
  { socket, snapshotter, archives }: { socket: string; snapshotter: Snapshotter; archives: readonly PackedArchive[] },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const list = await exec(["ctr", "--address", socket, "--namespace", "k8s.io", "images", "list", TAKEN_BY_CRI], { signal });
  const present = parseImageDigests(list);
  const missing = archives.filter(({ name, manifestDigest }) => present.get(name) !== manifestDigest);
  for (const { archivePath } of missing) await importImage(deps, { socket, snapshotter, archivePath }, signal);
  return missing.map(({ name }) => name);
}

/** Names from lines such as `unpacking docker.io/library/kubia:latest (sha256:...)...done`. */
export function parseImported(output: string): readonly string[] {
  return [...output.matchAll(/^unpacking (\S+) \(sha256:/gm)].map(([, name]) => name ?? "");
}

/** Name to digest, from `ctr images list`: first and third column, the heading left out. */
export function parseImageDigests(output: string): ReadonlyMap<string, string> {
  const rows = output
    .split("\n")
    .slice(1)
    .map((line) => line.split(/\s+/));
  return new Map(rows.flatMap(([name, , digest]) => (name && digest ? [[name, digest] as const] : [])));
}
