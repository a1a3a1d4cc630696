import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack } from "tar-stream";
import { unreachable } from "#base/invariant.ts";
import type { PackedLayer } from "./spec.ts";
import type { Entry } from "./tree.ts";

export type Compression = "none" | "gzip";

/** One member of a tar: a small content, a host file, or none (links, directories). */
export interface TarMember {
  readonly header: {
    readonly name: string;
    readonly type: "file" | "directory" | "symlink";
    readonly mode: number;
    readonly uid?: number;
    readonly gid?: number;
    readonly linkname?: string;
  };
  readonly content?: Uint8Array;
  readonly from?: string;
}

/** All times in images are this one, so that equal inputs give equal bytes. */
const EPOCH = new Date(0);

/** Writes a tar of the members in the order given. The same members give the same bytes. */
export async function* tarOf(members: AsyncIterable<TarMember> | Iterable<TarMember>): AsyncGenerator<Buffer> {
  const tar = pack();
  const fed = feed();
  fed.catch((cause: unknown) => tar.destroy(cause instanceof Error ? cause : new Error(String(cause))));
  for await (const chunk of tar) yield chunk as Buffer;
  await fed;

  async function feed() {
    for await (const { header, content, from } of members) {
      const full = { ...header, mtime: EPOCH, uname: "", gname: "" };
      if (from === undefined) {
        await new Promise<void>((resolve, reject) => {
          tar.entry(full, Buffer.from(content ?? []), (error) => (error ? reject(error) : resolve()));
        });
        continue;
      }
      const { size } = await stat(from);
      await new Promise<void>((resolve, reject) => {
        const entry = tar.entry({ ...full, size }, (error) => (error ? reject(error) : resolve()));
        const source = createReadStream(from, { highWaterMark: 1024 * 1024 });
        source.on("error", reject);
        source.pipe(entry);
      });
    }
    tar.finalize();
  }
}

/** Writes one layer blob to `path` and returns what describes it. */
export async function writeLayer(
  entries: readonly Entry[],
  { path, compression, signal }: { path: string; compression: Compression; signal: AbortSignal },
): Promise<PackedLayer> {
  const plain = createTap();
  const stored = createTap();
  const file = createWriteStream(path, { mode: 0o600 });
  const members = entries.map(memberOf);
  if (compression === "gzip") await pipeline(tarOf(members), plain.pass, createGzip({ level: 1 }), stored.pass, file, { signal });
  else await pipeline(tarOf(members), plain.pass, file, { signal });
  const { digest: diffId, bytes } = plain.result();
  return compression === "gzip"
    ? { digest: stored.result().digest, diffId, sizeBytes: stored.result().bytes }
    : { digest: diffId, diffId, sizeBytes: bytes };
}

function createTap() {
  const hash = createHash("sha256");
  let bytes = 0;
  return { pass, result: () => ({ digest: `sha256:${hash.copy().digest("hex")}`, bytes }) };

  async function* pass(this: void, source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  }
}

function memberOf(entry: Entry): TarMember {
  const { uid, gid } = entry;
  const name = entry.path.slice(1);
  switch (entry.kind) {
    case "directory":
      return { header: { name: `${name}/`, type: "directory", mode: entry.mode, uid, gid } };
    case "symlink":
      return { header: { name, type: "symlink", linkname: entry.target, mode: 0o777, uid, gid } };
    case "content":
      return { header: { name, type: "file", mode: entry.mode, uid, gid }, content: entry.content };
    case "host":
      return { header: { name, type: "file", mode: entry.mode, uid, gid }, from: entry.from };
    default:
      return unreachable(entry);
  }
}
