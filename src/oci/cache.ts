import { createHash } from "node:crypto";
import type { Stats } from "node:fs";
import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasCode, writeFileAtomic } from "#base/node/files.ts";
import { collect } from "./collect.ts";
import type { Compression } from "./layer.ts";
import { packCollected } from "./pack.ts";
import type { ImageSpec, PackedImage } from "./spec.ts";

/** Raise when packing writes other bytes for the same inputs: older records then count for nothing. */
const FORMAT = 2;

interface CacheRecord {
  readonly inputs: Readonly<Record<string, string>>;
  readonly image: PackedImage;
}

export interface CachedImage extends PackedImage {
  /** Whether this call wrote the archive, rather than found it. */
  readonly packed: boolean;
}

/** Archives of one image that are kept: versions in use side by side do not push each other out at every start. */
const KEPT = 3;

/**
 * Packs an image unless `directory` already has its archive and neither the spec nor the size or time of any host file
 * in it has changed. Archives are named by image and spec; of one image the newest three are kept.
 */
export async function packImageCached(
  spec: ImageSpec,
  { directory, compression = "none", signal }: { directory: string; compression?: Compression; signal: AbortSignal },
): Promise<CachedImage> {
  await mkdir(directory, { recursive: true });
  const stem = spec.name.replace(/^docker\.io\/(?:library\/)?/, "").replaceAll(/[^\w.-]+/g, "_");
  const key = createHash("sha256")
    .update(JSON.stringify([FORMAT, process.arch, compression, spec]))
    .digest("hex")
    .slice(0, 16);
  const recordPath = join(directory, `${stem}-${key}.json`);
  const archivePath = join(directory, `${stem}-${key}.tar`);

  const known = await readRecord(recordPath);
  if (known !== undefined && (await isFresh(known))) return { ...known.image, packed: false };

  const collected = await collect(spec, signal);
  const inputs = await stampAll(collected.inputs);
  const image = await packCollected(spec, collected, { archivePath, compression, signal });
  const record: CacheRecord = { inputs, image };
  await writeFileAtomic(recordPath, JSON.stringify(record, undefined, 1), { mode: 0o644 });
  await prune(directory, stem);
  return { ...image, packed: true };
}

async function prune(directory: string, stem: string): Promise<void> {
  const isArchiveOfStem = new RegExp(`^${stem.replaceAll(".", String.raw`\.`)}-[0-9a-f]{16}\\.tar$`);
  const archives: { path: string; mtimeMs: number }[] = [];
  for (const name of (await readdir(directory)).filter((name) => isArchiveOfStem.test(name))) {
    const path = join(directory, name);
    const found = await statOf(path);
    if (found !== undefined) archives.push({ path, mtimeMs: found.mtimeMs });
  }
  for (const { path } of archives.sort((a, b) => b.mtimeMs - a.mtimeMs).slice(KEPT)) {
    await rm(path, { force: true });
    await rm(path.replace(/tar$/, "json"), { force: true });
  }
}

async function readRecord(path: string): Promise<CacheRecord | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as CacheRecord;
  } catch (cause) {
    if (hasCode(cause, "ENOENT") || cause instanceof SyntaxError) return undefined; // no record, or one cut off: pack anew
    throw cause;
  }
}

async function isFresh({ inputs, image }: CacheRecord): Promise<boolean> {
  const archive = await stamp(image.archivePath);
  if (archive === undefined || !archive.startsWith(`${image.archiveBytes} `)) return false;
  const now = await Promise.all(Object.entries(inputs).map(async ([path, then]) => (await stamp(path)) === then));
  return now.every(Boolean);
}

async function stampAll(paths: readonly string[]): Promise<Record<string, string>> {
  const stamps = await Promise.all(paths.map(async (path) => [path, (await stamp(path)) ?? "missing"] as const));
  return Object.fromEntries(stamps);
}

/** Size, time of change of content and of inode: replacing a file by an older one shows too. */
async function stamp(path: string): Promise<string | undefined> {
  const found = await statOf(path);
  return found && `${found.size} ${found.mtimeMs} ${found.ctimeMs}`;
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "ENOTDIR")) return undefined;
    throw cause;
  }
}
