import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasCode, writeFileAtomic } from "#base/node/files.ts";
import { collect } from "./collect.ts";
import type { Compression } from "./layer.ts";
import { packCollected } from "./pack.ts";
import type { ImageSpec, PackedImage } from "./spec.ts";

/** Raise when packing writes other bytes for the same inputs: older records then count for nothing. */
const FORMAT = 1;

interface CacheRecord {
  readonly key: string;
  readonly inputs: Readonly<Record<string, string>>;
  readonly image: PackedImage;
}

export interface CachedImage extends PackedImage {
  /** Whether this call wrote the archive, rather than found it. */
  readonly packed: boolean;
}

/**
 * Packs an image unless `directory` already has its archive and neither the spec nor the size or time of any host file
 * in it has changed. Archives are named by image and content; older ones of the same image are removed.
 */
export async function packImageCached(
  spec: ImageSpec,
  { directory, compression = "none", signal }: { directory: string; compression?: Compression; signal: AbortSignal },
): Promise<CachedImage> {
  await mkdir(directory, { recursive: true });
  const stem = spec.name.replace(/^docker\.io\/(?:library\/)?/, "").replaceAll(/[^\w.-]+/g, "_");
  const recordPath = join(directory, `${stem}.json`);
  const key = createHash("sha256")
    .update(JSON.stringify([FORMAT, process.arch, compression, spec]))
    .digest("hex");

  const known = await readRecord(recordPath);
  if (known?.key === key && (await isFresh(known))) return { ...known.image, packed: false };

  const collected = await collect(spec, signal);
  const inputs = await stampAll(collected.inputs);
  const image = await packCollected(spec, collected, { archivePath: join(directory, `.${stem}.${process.pid}.tar`), compression, signal });
  const archive = `${stem}-${image.manifestDigest.slice("sha256:".length, "sha256:".length + 16)}.tar`;
  const archivePath = join(directory, archive);
  await rename(image.archivePath, archivePath);
  const record: CacheRecord = { key, inputs, image: { ...image, archivePath } };
  await writeFileAtomic(recordPath, JSON.stringify(record, undefined, 1), { mode: 0o644 });
  const isArchiveOfStem = new RegExp(`^${stem.replaceAll(".", String.raw`\.`)}-[0-9a-f]{16}\\.tar$`);
  for (const name of await readdir(directory)) {
    if (name !== archive && isArchiveOfStem.test(name)) await rm(join(directory, name), { force: true });
  }
  return { ...record.image, packed: true };
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
  try {
    const { size, mtimeMs, ctimeMs } = await stat(path);
    return `${size} ${mtimeMs} ${ctimeMs}`;
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "ENOTDIR")) return undefined;
    throw cause;
  }
}
