import { open } from "node:fs/promises";
import { posix } from "node:path";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { hasCode } from "#base/node/files.ts";
import { ImageError } from "./error.ts";
import { formatReference, parseReference } from "./reference.ts";

export interface ArchivedImage {
  /** Completed names; empty where the archive names its image not at all, or by a tag without a repository. */
  readonly references: readonly string[];
  /** A tag without a repository, as OCI archives of buildah and skopeo have it. */
  readonly tag: string | undefined;
  /** As `linux/amd64`; undefined where only the image's config would tell. */
  readonly platforms: readonly string[];
}

export interface ArchiveContents {
  readonly format: "oci-archive" | "docker-archive";
  readonly gzip: boolean;
  readonly images: readonly ArchivedImage[];
}

/** JSON members larger than this are no manifests; upstream registries stop at the same size. */
const MAX_JSON_BYTES = 4 * 1024 * 1024;
const MAX_JSON_TOTAL_BYTES = 64 * 1024 * 1024;

interface TarContents {
  readonly sizes: ReadonlyMap<string, number>;
  readonly json: ReadonlyMap<string, Buffer>;
}

/**
 * Reads an image archive as `docker save`, `podman save`, `buildah` and packImage write it, plain or gzip, and checks that every
 * manifest, config and layer it names is in it with the size promised. Contents are not hashed: the runtime does so at import.
 * Throws ImageError with what the file is instead.
 */
export async function inspectArchive(path: string, { signal }: { signal: AbortSignal }): Promise<ArchiveContents> {
  const fail = (found: string, cause?: unknown) => new ImageError(`Cannot read image archive "${path}": ${found}`, { cause });
  const head = await readHead(path, fail);
  if (head.length === 0) throw fail("the file is empty");
  if (head.readUInt32BE(0) === 0x28b52ffd) throw fail("it is compressed with zstd, decompress it first (zstd -d)");
  if (head.subarray(0, 6).equals(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]))) {
    throw fail("it is compressed with xz, decompress it first (xz -d)");
  }
  const gzip = head.readUInt16BE(0) === 0x1f8b;
  if (!gzip && !isTarHead(head)) throw fail("it is not a tar archive, wanted what `docker save` or `navarch image` writes");

  const file = await open(path, "r");
  let contents: TarContents;
  try {
    contents = await readTar(file.createReadStream({ highWaterMark: 1024 * 1024, autoClose: false, signal }), gzip);
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof ImageError) throw fail(cause.message, cause);
    throw fail(`it is damaged or cut off (${cause instanceof Error ? cause.message : String(cause)})`, cause);
  } finally {
    await file.close();
  }

  try {
    if (contents.json.has("index.json")) return { format: "oci-archive", gzip, images: readOciLayout(contents) };
    if (contents.json.has("manifest.json")) return { format: "docker-archive", gzip, images: readDockerArchive(contents) };
  } catch (cause) {
    if (cause instanceof ImageError || cause instanceof SyntaxError) throw fail(cause.message, cause);
    throw cause;
  }
  const looksLikeRoot =
    ["etc", "bin", "usr"].filter((name) => [...contents.sizes.keys()].some((path) => path.startsWith(name))).length >= 2;
  throw fail(
    looksLikeRoot
      ? "it is a root file system (docker export?) without index.json and manifest.json, use docker save"
      : "it is a tar without index.json and manifest.json, wanted an OCI or docker archive",
  );
}

async function readHead(path: string, fail: (found: string, cause?: unknown) => ImageError): Promise<Buffer> {
  const file = await open(path, "r").catch((cause: unknown) => {
    if (hasCode(cause, "ENOENT")) throw fail("no such file", cause);
    if (hasCode(cause, "EACCES")) throw fail("no permission to read it", cause);
    throw cause;
  });
  try {
    if ((await file.stat()).isDirectory()) throw fail("it is a directory, wanted a file");
    const head = Buffer.alloc(512);
    const { bytesRead } = await file.read(head, 0, 512, 0);
    return bytesRead === 0 ? Buffer.alloc(0) : head;
  } finally {
    await file.close();
  }
}

/** The header's checksum is the sum of its bytes with the checksum field taken as blanks. */
function isTarHead(head: Buffer): boolean {
  const stated = Number.parseInt(head.toString("latin1", 148, 156).replaceAll(/[\0 ]/g, ""), 8);
  let sum = 0;
  for (let at = 0; at < 512; at++) sum += at >= 148 && at < 156 ? 32 : (head[at] ?? 0);
  return stated === sum;
}

async function readTar(source: Readable, gzip: boolean): Promise<TarContents> {
  const sizes = new Map<string, number>();
  const json = new Map<string, Buffer>();
  let total = 0;
  const tar = extract();
  const plain = gzip ? source.pipe(createGunzip()) : source;
  source.on("error", (error) => tar.destroy(error));
  plain.on("error", (error) => tar.destroy(error));
  plain.pipe(tar);
  for await (const entry of tar) {
    const name = posix.normalize(entry.header.name).replace(/^\/+/, "").replace(/\/$/, "");
    const size = entry.header.size ?? 0;
    const isBlobOrJson = entry.header.type === "file" && (name.endsWith(".json") || name.startsWith("blobs/"));
    let collected: Buffer[] | undefined = isBlobOrJson && size > 0 && size <= MAX_JSON_BYTES ? [] : undefined;
    for await (const chunk of entry as AsyncIterable<Buffer>) {
      if (collected?.length === 0 && chunk[0] !== 0x7b && chunk[0] !== 0x5b) collected = undefined; // neither { nor [
      collected?.push(chunk);
    }
    sizes.set(name, size);
    if (collected === undefined) continue;
    total += size;
    if (total > MAX_JSON_TOTAL_BYTES) throw new ImageError("its manifests are larger than 64 MiB");
    json.set(name, Buffer.concat(collected));
  }
  return { sizes, json };
}

interface Descriptor {
  readonly mediaType?: string;
  readonly digest: string;
  readonly size?: number;
  readonly platform?: { readonly os?: string; readonly architecture?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

function readOciLayout(contents: TarContents): readonly ArchivedImage[] {
  const { manifests } = parseJson(contents, "index.json") as { manifests?: readonly Descriptor[] };
  if (!Array.isArray(manifests) || manifests.length === 0) throw new ImageError("its index.json lists no manifests");
  return (manifests as readonly Descriptor[]).map((descriptor) => {
    const platforms = checkManifest(contents, descriptor, 0);
    const full = descriptor.annotations?.["io.containerd.image.name"];
    const short = descriptor.annotations?.["org.opencontainers.image.ref.name"];
    const name = full ?? (short?.includes("/") === true || short?.includes(":") === true ? short : undefined);
    const reference = name === undefined ? undefined : parseReference(name);
    return {
      references: reference === undefined ? [] : [formatReference(reference)],
      tag: reference === undefined ? short : undefined,
      platforms,
    };
  });
}

/** Checks a manifest, or an index of manifests, and returns the platforms it is for. Platforms an index leaves out are allowed. */
function checkManifest(contents: TarContents, descriptor: Descriptor, depth: number): readonly string[] {
  const path = checkBlob(contents, descriptor, "manifest");
  if (depth > 4) throw new ImageError("its indexes are nested too deep");
  const manifest = parseJson(contents, path) as { manifests?: readonly Descriptor[]; config?: Descriptor; layers?: readonly Descriptor[] };
  if (manifest.manifests !== undefined) {
    const present = manifest.manifests.filter((child) => contents.sizes.has(blobPath(child)));
    if (present.length === 0) throw new ImageError(`it has none of the manifests that index ${descriptor.digest} names`);
    return present.flatMap((child) => checkManifest(contents, child, depth + 1));
  }
  if (manifest.config === undefined || !Array.isArray(manifest.layers)) {
    throw new ImageError(`its manifest ${descriptor.digest} has no config or no layers`);
  }
  const config = parseJson(contents, checkBlob(contents, manifest.config, "config")) as { os?: string; architecture?: string };
  for (const layer of manifest.layers as readonly Descriptor[]) checkBlob(contents, layer, "layer");
  return config.os === undefined ? [] : [`${config.os}/${config.architecture ?? "unknown"}`];
}

function checkBlob({ sizes }: TarContents, descriptor: Descriptor, what: string): string {
  const path = blobPath(descriptor);
  const size = sizes.get(path);
  if (size === undefined) throw new ImageError(`its ${what} ${descriptor.digest} is missing`);
  if (descriptor.size !== undefined && size !== descriptor.size) {
    throw new ImageError(`its ${what} ${descriptor.digest} has ${size} bytes, wanted ${descriptor.size}`);
  }
  return path;
}

function blobPath({ digest }: Descriptor): string {
  if (typeof digest !== "string" || !/^[a-z0-9]+:[0-9a-f]+$/.test(digest)) throw new ImageError(`it names the digest "${digest}"`);
  return `blobs/${digest.replace(":", "/")}`;
}

function readDockerArchive(contents: TarContents): readonly ArchivedImage[] {
  const images = parseJson(contents, "manifest.json") as readonly {
    Config?: string;
    RepoTags?: readonly string[] | null;
    Layers?: readonly string[];
  }[];
  if (!Array.isArray(images) || images.length === 0) throw new ImageError("its manifest.json lists no images");
  return images.map(
    ({ Config, RepoTags, Layers }: { Config?: string; RepoTags?: readonly string[] | null; Layers?: readonly string[] }) => {
      for (const member of [Config, ...(Layers ?? [])]) {
        if (member === undefined || !contents.sizes.has(posix.normalize(member))) {
          throw new ImageError(`its member "${member ?? "config"}" is missing`);
        }
      }
      const config = contents.json.get(posix.normalize(Config ?? ""));
      const { os, architecture } = config === undefined ? {} : (JSON.parse(config.toString()) as { os?: string; architecture?: string });
      const references = (RepoTags ?? []).map((tag) => {
        const reference = parseReference(tag);
        if (reference === undefined) throw new ImageError(`it names the image "${tag}", wanted a name such as "kubia:latest"`);
        return formatReference(reference);
      });
      return { references, tag: undefined, platforms: os === undefined ? [] : [`${os}/${architecture ?? "unknown"}`] };
    },
  );
}

function parseJson({ json }: TarContents, path: string): unknown {
  const bytes = json.get(path);
  if (bytes === undefined) throw new ImageError(`its member "${path}" is not JSON`);
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new ImageError(`its member "${path}" is broken JSON`, { cause });
  }
}
