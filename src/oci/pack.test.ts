import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { extract, pack } from "tar-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inspectArchive } from "./archive.ts";
import { packImageCached } from "./cache.ts";
import { packImage } from "./pack.ts";
import type { ImageSpec } from "./spec.ts";

const { signal } = new AbortController();
let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "navarch-oci-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const spec: ImageSpec = {
  name: "docker.io/library/demo:v1",
  requires: [],
  programs: [{ from: process.execPath, path: "/usr/bin/node" }],
  files: [
    { kind: "content", path: "/app.js", content: "1" },
    { kind: "symlink", path: "/app", target: "app.js" },
    { kind: "directory", path: "/tmp", mode: 0o1777 },
  ],
  config: { entrypoint: ["node"], exposedPorts: ["8080/tcp"], env: { A: "b" } },
};

const small: ImageSpec = { name: "docker.io/library/demo:v1", requires: [], files: [{ kind: "content", path: "/app.js", content: "1" }] };

async function membersOf(path: string): Promise<Map<string, Buffer>> {
  const tar = extract();
  createReadStream(path).pipe(tar);
  const members = new Map<string, Buffer>();
  for await (const entry of tar) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    members.set(entry.header.name, Buffer.concat(chunks));
  }
  return members;
}

async function writeTar(path: string, members: Readonly<Record<string, string>>, transform = (tar: Buffer) => tar) {
  const tar = pack();
  for (const [name, content] of Object.entries(members)) tar.entry({ name }, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  await writeFile(path, transform(Buffer.concat(chunks)));
}

describe("packImage()", () => {
  test("adds the loader and every library of a program", async () => {
    const image = await packImage(spec, { archivePath: join(directory, "a.tar"), signal });
    const members = await membersOf(image.archivePath);
    const layer = members.get(`blobs/${image.layers[0]?.digest.replace(":", "/")}`);
    await writeFile(join(directory, "layer.tar"), layer ?? "");
    const names = [...(await membersOf(join(directory, "layer.tar"))).keys()];
    expect(names).toContain("usr/bin/node");
    expect(names.some((name) => /ld-linux.*\.so/.test(name))).toBe(true);
    expect(names.some((name) => name.endsWith("/libc.so.6"))).toBe(true);
  });

  test("P1: gives the same bytes for the same inputs, whatever their times", async () => {
    const source = join(directory, "source");
    await writeFile(source, "content");
    const withHost: ImageSpec = { ...small, files: [{ kind: "host", path: "/x", from: source, mode: 0o600 }] };
    await packImage(withHost, { archivePath: join(directory, "a.tar"), signal });
    await utimes(source, 1, 1);
    await packImage(withHost, { archivePath: join(directory, "b.tar"), signal });
    expect((await readFile(join(directory, "a.tar"))).equals(await readFile(join(directory, "b.tar")))).toBe(true);
  });

  test("P2: shares the machine's layer between images whose files differ", async () => {
    const one = await packImage(spec, { archivePath: join(directory, "a.tar"), signal });
    const other = { ...spec, files: [{ kind: "content", path: "/app.js", content: "2" }] } as const;
    const two = await packImage(other, { archivePath: join(directory, "b.tar"), signal });
    expect(two.layers[0]).toEqual(one.layers[0]);
    expect(two.layers[1]?.digest).not.toBe(one.layers[1]?.digest);
  });

  test("writes gzip layers whose diff id is that of the plain ones", async () => {
    const plain = await packImage(small, { archivePath: join(directory, "a.tar"), signal });
    const gzip = await packImage(small, { archivePath: join(directory, "b.tar"), compression: "gzip", signal });
    expect(gzip.layers[0]?.diffId).toBe(plain.layers[0]?.diffId);
    expect(gzip.layers[0]?.digest).not.toBe(plain.layers[0]?.digest);
    expect(gzip.layers[0]?.sizeBytes).toBeLessThan(plain.layers[0]?.sizeBytes ?? 0);
  });

  test.each([
    ["a short name", { name: "demo" }, 'Cannot pack image "demo": wanted a full name with a tag'],
    ["a program that is not there", { programs: ["/no/such"] }, 'Cannot pack "/no/such": no such file on this machine'],
    ["a script as program", { programs: ["/usr/bin/ldd"] }, 'Cannot pack program "/usr/bin/ldd": it is no ELF file'],
    ["an absent package", { packages: ["no-such"] }, 'Cannot pack Debian package "no-such": it is not installed'],
    ["a relative path", { files: [{ kind: "directory", path: "x" }] }, 'Cannot pack path "x": it is relative'],
  ] as const)("refuses %s", async (_, change, message) => {
    await expect(packImage({ ...small, ...change }, { archivePath: join(directory, "a.tar"), signal })).rejects.toThrow(message);
  });
});

describe("packImageCached()", () => {
  test("packs once, and again when the spec or a host file changes or the archive is gone", async () => {
    const source = join(directory, "source");
    await writeFile(source, "one");
    const make = (content: string): ImageSpec => ({
      ...small,
      files: [
        { kind: "host", path: "/x", from: source },
        { kind: "content", path: "/y", content },
      ],
    });
    const cache = join(directory, "cache");
    const run = async (content: string) => (await packImageCached(make(content), { directory: cache, signal })).packed;
    expect([await run("a"), await run("a")]).toEqual([true, false]);
    expect([await run("b"), await run("b")]).toEqual([true, false]);
    await writeFile(source, "two, longer");
    const image = await packImageCached(make("b"), { directory: cache, signal });
    expect(image.packed).toBe(true);
    await rm(image.archivePath);
    expect([await run("b"), await run("b")]).toEqual([true, false]);
  });
});

describe("inspectArchive()", () => {
  test("lists what packImage() wrote", async () => {
    const { archivePath } = await packImage(small, { archivePath: join(directory, "a.tar"), signal });
    const architecture = process.arch === "x64" ? "amd64" : process.arch;
    expect(await inspectArchive(archivePath, { signal })).toEqual({
      format: "oci-archive",
      gzip: false,
      images: [{ references: ["docker.io/library/demo:v1"], tag: undefined, platforms: [`linux/${architecture}`] }],
    });
  });

  const docker = {
    "manifest.json": JSON.stringify([{ Config: "c.json", RepoTags: ["demo:v1", "reg.example/x:2"], Layers: ["l/layer.tar"] }]),
    "c.json": JSON.stringify({ os: "linux", architecture: "amd64" }),
    "l/layer.tar": "layer",
  };

  test("lists a docker archive, also when it is gzip", async () => {
    const path = join(directory, "a.tar.gz");
    await writeTar(path, docker, gzipSync);
    expect(await inspectArchive(path, { signal })).toEqual({
      format: "docker-archive",
      gzip: true,
      images: [{ references: ["docker.io/library/demo:v1", "reg.example/x:2"], tag: undefined, platforms: ["linux/amd64"] }],
    });
  });

  test.each<[string, (path: string) => Promise<unknown>, string]>([
    ["a missing file", async () => undefined, "no such file"],
    ["an empty file", (path) => writeFile(path, ""), "the file is empty"],
    ["a text file", (path) => writeFile(path, "hello\n"), "it is not a tar archive"],
    ["a zstd file", (path) => writeFile(path, Buffer.from("28b52ffd00", "hex")), "it is compressed with zstd"],
    ["gzip of something else", (path) => writeFile(path, gzipSync("x".repeat(2000))), "it is damaged or cut off"],
    ["another tar", (path) => writeTar(path, { a: "b" }), "it is a tar without index.json and manifest.json"],
    ["an exported root", (path) => writeTar(path, { "etc/passwd": "b", "bin/sh": "" }), "it is a root file system (docker export?)"],
    [
      "a lost layer",
      (path) => writeTar(path, { ...docker, "l/layer.tar": "", "manifest.json": docker["manifest.json"].replace("l/", "m/") }),
      'its member "m/layer.tar" is missing',
    ],
    ["broken JSON", (path) => writeTar(path, { ...docker, "manifest.json": "[{" }), 'its member "manifest.json" is broken JSON'],
    ["no images", (path) => writeTar(path, { "manifest.json": "[]" }), "its manifest.json lists no images"],
    ["an empty index", (path) => writeTar(path, { "index.json": "{}" }), "its index.json lists no manifests"],
  ])("refuses %s", async (_, make, message) => {
    const path = join(directory, "bad.tar");
    await make(path);
    await expect(inspectArchive(path, { signal })).rejects.toThrow(`Cannot read image archive "${path}": ${message}`);
  });

  test("refuses an archive that is cut off, at any length", async () => {
    const { archivePath, archiveBytes } = await packImage(small, { archivePath: join(directory, "a.tar"), signal });
    for (const bytes of [archiveBytes - 1024 - 600, Math.floor(archiveBytes / 2), 700]) {
      await truncate(archivePath, bytes);
      await expect(inspectArchive(archivePath, { signal })).rejects.toThrow("Cannot read image archive");
    }
  });
});
