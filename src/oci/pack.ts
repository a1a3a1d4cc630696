import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Collected, collect } from "./collect.ts";
import { ImageError } from "./error.ts";
import { type Compression, type TarMember, tarOf, writeLayer } from "./layer.ts";
import { formatReference, parseReference } from "./reference.ts";
import type { ImageConfig, ImageSpec, PackedImage, PackedLayer } from "./spec.ts";
import { canonicalPath, type Entry, layOut, linkedDirectories } from "./tree.ts";

export interface PackOptions {
  /** Where the archive is written; replaced atomically. */
  readonly archivePath: string;
  /** @default "none": an archive is read once, from local disk, and gzip costs seconds. */
  readonly compression?: Compression;
  readonly signal: AbortSignal;
}

/**
 * Packs an image from this machine's programs into an OCI layout archive.
 *
 * P1. The same spec and the same host files give the same digests: times are fixed, order is by path.
 * P2. Two layers: what comes from the machine, and what the spec itself says. Images that differ in their files alone share the first.
 * P3. `archivePath` appears complete or not at all.
 */
export async function packImage(spec: ImageSpec, options: PackOptions): Promise<PackedImage> {
  return packCollected(spec, await collect(spec, options.signal), options);
}

export async function packCollected(
  spec: ImageSpec,
  collected: Collected,
  { archivePath, compression = "none", signal }: PackOptions,
): Promise<PackedImage> {
  const reference = parseReference(spec.name);
  if (reference?.tag === undefined || formatReference(reference) !== spec.name) {
    throw new ImageError(`Cannot pack image "${spec.name}": wanted a full name with a tag, such as docker.io/library/kubia:latest`);
  }
  await mkdir(dirname(archivePath), { recursive: true });
  const work = await mkdtemp(join(dirname(archivePath), `.${basename(archivePath)}-`));
  try {
    const layers: { layer: PackedLayer; path: string }[] = [];
    for (const [index, entries] of splitLayers(collected).entries()) {
      if (entries.length === 0) continue;
      const path = join(work, `layer-${index}`);
      layers.push({ layer: await writeLayer(entries, { path, compression, signal }), path });
    }
    const image = describeImage(
      spec,
      layers.map(({ layer }) => layer),
      { compression, tag: reference.tag },
    );
    const blobs = new Map<string, TarMember>();
    for (const json of [image.manifest, image.config]) blobs.set(json.digest, blobMember(json.digest, { content: json.bytes }));
    for (const { layer, path } of layers) blobs.set(layer.digest, blobMember(layer.digest, { from: path }));

    const temporary = join(work, "archive.tar");
    const members: TarMember[] = [
      fileMember("oci-layout", Buffer.from(JSON.stringify({ imageLayoutVersion: "1.0.0" }))),
      fileMember("index.json", image.index),
      { header: { name: "blobs/", type: "directory", mode: 0o755 } },
      { header: { name: "blobs/sha256/", type: "directory", mode: 0o755 } },
      ...[...blobs.keys()].sort().flatMap((digest) => blobs.get(digest) ?? []),
    ];
    await pipeline(tarOf(members), createWriteStream(temporary, { mode: 0o644 }), { signal });
    const { size } = await stat(temporary);
    await rename(temporary, archivePath); // P3
    return {
      name: spec.name,
      archivePath,
      archiveBytes: size,
      manifestDigest: image.manifest.digest,
      configDigest: image.config.digest,
      layers: layers.map(({ layer }) => layer),
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** P2. Parents of a layer's entries are repeated in it with their own mode and owner. */
export function splitLayers({ system, own }: Pick<Collected, "system" | "own">): readonly (readonly Entry[])[] {
  const all = layOut([...system, ...own]);
  const ownPaths = new Set(own.map(({ path }) => canonicalPath(path)));
  const isOwn = ({ path }: Entry) => ownPaths.has(path);
  const systemPaths = new Set(system.map(({ path }) => canonicalPath(path)).filter((path) => !ownPaths.has(path)));
  const isSystem = ({ path }: Entry) => systemPaths.has(path);
  return [isSystem, isOwn].map((belongs) => {
    const wanted = new Set<string>();
    const want = (leaf: string) => {
      for (let path = leaf; path !== "/" && !wanted.has(path); path = dirname(path)) wanted.add(path);
    };
    for (const entry of all) if (belongs(entry)) want(entry.path);
    for (const { link, to } of linkedDirectories) if (wanted.has(to)) want(link);
    return all.filter(({ path }) => wanted.has(path));
  });
}

interface Blob {
  readonly bytes: Buffer;
  readonly digest: string;
}

function describeImage(
  spec: ImageSpec,
  layers: readonly PackedLayer[],
  { compression, tag }: { compression: Compression; tag: string },
): { config: Blob; manifest: Blob; index: Buffer } {
  const architecture = { x64: "amd64", arm64: "arm64" }[process.arch as string] ?? process.arch;
  const created = "1970-01-01T00:00:00Z";
  const config = blob({
    created,
    architecture,
    os: "linux",
    config: renderConfig(spec.config ?? {}),
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created, created_by: "navarch" })),
  });
  const mediaType = `application/vnd.oci.image.layer.v1.tar${compression === "gzip" ? "+gzip" : ""}`;
  const manifest = blob({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: config.digest, size: config.bytes.length },
    layers: layers.map(({ digest, sizeBytes }) => ({ mediaType, digest, size: sizeBytes })),
  });
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      manifests: [
        {
          mediaType: "application/vnd.oci.image.manifest.v1+json",
          digest: manifest.digest,
          size: manifest.bytes.length,
          platform: { architecture, os: "linux" },
          annotations: { "io.containerd.image.name": spec.name, "org.opencontainers.image.ref.name": tag },
        },
      ],
    }),
  );
  return { config, manifest, index };
}

function renderConfig(config: ImageConfig): Record<string, unknown> {
  const set = (names: readonly string[] | undefined) => names && Object.fromEntries(names.toSorted().map((name) => [name, {}]));
  return {
    User: config.user,
    ExposedPorts: set(config.exposedPorts),
    Env: Object.entries({ PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ...config.env }).map(
      ([name, value]) => `${name}=${value}`,
    ),
    Entrypoint: config.entrypoint,
    Cmd: config.cmd,
    Volumes: set(config.volumes),
    WorkingDir: config.workingDir,
    Labels: config.labels,
    StopSignal: config.stopSignal,
  };
}

function blob(value: unknown): Blob {
  const bytes = Buffer.from(JSON.stringify(value));
  return { bytes, digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}` };
}

function blobMember(digest: string, source: { content: Uint8Array } | { from: string }): TarMember {
  return { header: { name: `blobs/${digest.replace(":", "/")}`, type: "file", mode: 0o644 }, ...source };
}

function fileMember(name: string, content: Uint8Array): TarMember {
  return { header: { name, type: "file", mode: 0o644 }, content };
}
