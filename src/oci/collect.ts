import { lstat, opendir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { unreachable } from "#base/invariant.ts";
import { hasCode } from "#base/node/files.ts";
import { ImageError } from "./error.ts";
import { elfDynamicsOf, readLibrarySearch, resolveLibraries } from "./libraries.ts";
import type { ImageFile, ImageSpec, ImageTree } from "./spec.ts";
import { canonicalPath, type Entry } from "./tree.ts";

/** Everything an image holds, found on this machine. */
export interface Collected {
  /** From the machine: libraries, packages, trees, programs. In order of precedence, last wins. */
  readonly system: readonly Entry[];
  /** From the spec: applets and files. Wins over `system`. */
  readonly own: readonly Entry[];
  /** Host paths whose size or time of change tells whether a packed archive is out of date. */
  readonly inputs: readonly string[];
}

const BUSYBOX = "/usr/bin/busybox";
const DPKG_LISTS = "/var/lib/dpkg/info";
const LEFT_OUT = ["doc", "man", "info", "locale", "lintian", "bug", "doc-base", "bash-completion", "zsh"].map(
  (name) => `/usr/share/${name}`,
);

export async function collect(spec: ImageSpec, signal: AbortSignal): Promise<Collected> {
  const entries: Entry[] = [];
  const inputs = new Set<string>();
  const linked: string[] = [];

  for (const name of spec.packages ?? []) await addPackage(name);
  for (const tree of spec.trees ?? []) await addTree(tree);
  for (const program of spec.programs ?? []) {
    const { from, path } = typeof program === "string" ? { from: program, path: program } : program;
    if ((await elfDynamicsOf(from)) === undefined) {
      throw new ImageError(`Cannot pack program "${from}": it is no ELF file, list it under files and its interpreter under programs`);
    }
    await addHostFile(from, path, {});
    linked.push(from);
  }
  const own: Entry[] = [];
  if (spec.busybox !== undefined) {
    const elf = await elfDynamicsOf(BUSYBOX);
    if (elf === undefined || elf.needed.length > 0) {
      throw new ImageError(`Cannot pack busybox: "${BUSYBOX}" is not statically linked, install the Debian package busybox-static`);
    }
    await addHostFile(BUSYBOX, BUSYBOX, {});
    own.push(...spec.busybox.map((applet): Entry => ({ kind: "symlink", path: `/usr/bin/${applet}`, target: "busybox", uid: 0, gid: 0 })));
  }

  const search = await readLibrarySearch();
  const libraries = linked.length === 0 ? [] : await resolveLibraries(linked, search);
  for (const path of linked.length === 0 ? [] : search.inputs) inputs.add(path);
  const libraryEntries: Entry[] = [];
  for (const { path, from } of libraries) {
    inputs.add(from);
    const { mode } = await stat(from);
    libraryEntries.push({ kind: "host", path, from, mode: mode & 0o755, uid: 0, gid: 0 });
  }

  for (const file of spec.files ?? []) {
    if (file.kind === "host") inputs.add(file.from);
    own.push(await fileEntry(file));
  }
  return { system: [...libraryEntries, ...entries], own, inputs: [...inputs].sort() };

  async function addPackage(name: string) {
    const list = await readPackageList(name);
    inputs.add(list.path);
    for (const path of list.files) {
      if (LEFT_OUT.some((left) => path === left || path.startsWith(`${left}/`))) continue;
      await addPath(path, path, {});
    }
  }

  async function addTree(tree: ImageTree) {
    const excluded = new Set((tree.exclude ?? []).map((path) => join(tree.from, path)));
    const walk = async (from: string, path: string) => {
      signal.throwIfAborted();
      if (excluded.has(from)) return;
      await addPath(from, path, tree);
      if (!(await lstat(from)).isDirectory()) return;
      for await (const child of await opendir(from)) await walk(join(from, child.name), join(path, child.name));
    };
    await walk(tree.from, tree.path ?? tree.from);
  }

  async function addPath(from: string, path: string, owner: { uid?: number; gid?: number }) {
    const found = await lstat(from).catch((cause: unknown) => {
      if (hasCode(cause, "ENOENT", "ENOTDIR")) throw new ImageError(`Cannot pack "${from}": no such file on this machine`, { cause });
      throw cause;
    });
    const { uid = found.uid, gid = found.gid } = owner;
    const mode = found.mode & 0o7777;
    if (found.isSymbolicLink()) entries.push({ kind: "symlink", path, target: await readlink(from), uid, gid });
    else if (found.isDirectory()) entries.push({ kind: "directory", path, mode, uid, gid });
    else if (found.isFile()) {
      await addHostFile(from, path, { uid, gid });
      if ((await elfDynamicsOf(from)) !== undefined) linked.push(from);
    } else return;
    inputs.add(from);
  }

  async function addHostFile(from: string, path: string, { uid = 0, gid = 0 }: { uid?: number; gid?: number }) {
    inputs.add(from);
    entries.push({ kind: "host", path: canonicalPath(path), from, mode: (await stat(from)).mode & 0o7777, uid, gid });
  }
}

async function fileEntry(file: ImageFile): Promise<Entry> {
  const { path, uid = 0, gid = 0 } = file;
  switch (file.kind) {
    case "content":
      return { kind: "content", path, content: Buffer.from(file.content), mode: file.mode ?? 0o644, uid, gid };
    case "symlink":
      return { kind: "symlink", path, target: file.target, uid, gid };
    case "directory":
      return { kind: "directory", path, mode: file.mode ?? 0o755, uid, gid };
    case "host": {
      const found = await stat(file.from).catch((cause: unknown) => {
        if (hasCode(cause, "ENOENT")) throw new ImageError(`Cannot pack "${file.from}": no such file on this machine`, { cause });
        throw cause;
      });
      if (!found.isFile()) throw new ImageError(`Cannot pack "${file.from}": it is not a regular file, use a tree for directories`);
      return { kind: "host", path, from: file.from, mode: file.mode ?? found.mode & 0o7777, uid, gid };
    }
    default:
      return unreachable(file);
  }
}

async function readPackageList(name: string): Promise<{ path: string; files: readonly string[] }> {
  const architecture = { x64: "amd64", arm64: "arm64" }[process.arch as string] ?? process.arch;
  for (const path of [`${DPKG_LISTS}/${name}.list`, `${DPKG_LISTS}/${name}:${architecture}.list`]) {
    try {
      const files = (await readFile(path, "utf8")).split("\n").filter((line) => line.startsWith("/") && line !== "/.");
      return { path, files };
    } catch (cause) {
      if (!hasCode(cause, "ENOENT")) throw cause;
    }
  }
  throw new ImageError(`Cannot pack Debian package "${name}": it is not installed, run apt-get install ${name}`);
}
