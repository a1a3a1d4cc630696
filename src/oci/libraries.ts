import { open, readdir, readFile, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { hasCode } from "#base/node/files.ts";
import { ElfError, type ElfDynamics, isElf, readElfDynamics } from "./elf.ts";
import { ImageError } from "./error.ts";

export interface LibraryFile {
  /** Where the loader finds it in the image. */
  readonly path: string;
  /** The file on the host, links resolved. */
  readonly from: string;
}

export interface LibrarySearch {
  /** What the loader looks through without a cache, most specific first. */
  readonly defaults: readonly string[];
  /** What ld.so.conf adds on this host. An image has no loader cache, so what lies here moves to a default directory. */
  readonly configured: readonly string[];
  /** The configuration files read. */
  readonly inputs: readonly string[];
}

/** The host's search path, as ldconfig would read it. */
export async function readLibrarySearch(config = "/etc/ld.so.conf"): Promise<LibrarySearch> {
  const triplet = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" }[process.arch as string];
  const multiarch = triplet === undefined ? [] : [`/lib/${triplet}`, `/usr/lib/${triplet}`];
  const defaults = [...multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
  const inputs: string[] = [];
  const configured = (await readConfig(config, inputs)).filter((path) => !defaults.includes(path));
  return { defaults, configured, inputs };
}

async function readConfig(path: string, inputs: string[]): Promise<string[]> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    if (hasCode(cause, "ENOENT")) return undefined;
    throw cause;
  });
  if (text === undefined || inputs.includes(path)) return [];
  inputs.push(path);
  const directories: string[] = [];
  for (const raw of text.split("\n")) {
    const line = raw.replace(/#.*/, "").trim();
    const include = /^include\s+(.+)$/.exec(line)?.[1];
    if (include !== undefined) {
      const pattern = resolve(dirname(path), include);
      for (const file of await matching(pattern)) directories.push(...(await readConfig(file, inputs)));
    } else if (line.startsWith("/")) directories.push(line.replace(/\/+$/, ""));
  }
  return directories;
}

/** Files that match a pattern whose last part may hold `*`. */
async function matching(pattern: string): Promise<readonly string[]> {
  const name = pattern.slice(pattern.lastIndexOf("/") + 1);
  if (!name.includes("*")) return [pattern];
  const expression = new RegExp(`^${name.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("*", ".*")}$`);
  const names = await readdir(dirname(pattern)).catch((cause: unknown) => {
    if (hasCode(cause, "ENOENT")) return [];
    throw cause;
  });
  return names
    .filter((file) => expression.test(file))
    .sort()
    .map((file) => join(dirname(pattern), file));
}

/** The ELF dynamics of a host file; undefined where it is no ELF file. */
export async function elfDynamicsOf(path: string): Promise<ElfDynamics | undefined> {
  const file = await open(path, "r").catch((cause: unknown) => {
    if (hasCode(cause, "ENOENT")) throw new ImageError(`Cannot pack "${path}": no such file on this machine`, { cause });
    throw cause;
  });
  try {
    const read = async (offset: number, length: number) => {
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await file.read(buffer, 0, length, offset);
      return buffer.subarray(0, bytesRead);
    };
    if (!isElf(await read(0, 4))) return undefined;
    return await readElfDynamics(read);
  } catch (cause) {
    if (cause instanceof ElfError) throw new ImageError(`Cannot read program "${path}": ${cause.message}`, { cause });
    throw cause;
  } finally {
    await file.close();
  }
}

/**
 * Every shared library that `programs` need, transitively, and their loader. Libraries that only dlopen() would find
 * (plug-ins, NSS modules) are not seen: name them as programs. Throws where one is not on this machine.
 */
export async function resolveLibraries(programs: readonly string[], search: LibrarySearch): Promise<readonly LibraryFile[]> {
  const found = new Map<string, LibraryFile>();
  const visited = new Set<string>();
  const loaders = new Set<string>();
  const queue: { path: string; rpath: readonly string[] }[] = programs.map((path) => ({ path, rpath: [] }));
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const real = await realpath(next.path);
    if (visited.has(real)) continue;
    visited.add(real);
    const elf = await elfDynamicsOf(real);
    if (elf === undefined) continue;
    if (elf.interpreter !== undefined && !found.has(elf.interpreter)) {
      loaders.add(basename(elf.interpreter));
      found.set(elf.interpreter, { path: elf.interpreter, from: await realpath(elf.interpreter) });
    }
    const origin = dirname(real);
    const expand = (path: string) => path.replaceAll(/\$(?:ORIGIN|\{ORIGIN\})/g, origin);
    const inherited = elf.runpath.length > 0 ? [] : [...elf.rpath.map(expand), ...next.rpath];
    const own = [...inherited, ...elf.runpath.map(expand)];
    for (const name of elf.needed) {
      if (loaders.has(name)) continue; // the C library needs the loader, which is there under its own path
      const library = await findLibrary(name, own, search);
      if (library === undefined) {
        throw new ImageError(`Cannot pack program "${next.path}": its library "${name}" is not on this machine`);
      }
      found.set(library.path, library);
      queue.push({ path: library.from, rpath: inherited });
    }
  }
  return [...found.values()];
}

async function findLibrary(name: string, own: readonly string[], search: LibrarySearch): Promise<LibraryFile | undefined> {
  if (name.includes("/")) return { path: name, from: await realpath(name) };
  const places = [
    ...own.map((directory) => ({ directory, image: directory })),
    ...search.defaults.map((directory) => ({ directory, image: directory })),
    ...search.configured.map((directory) => ({ directory, image: search.defaults[0] ?? "/usr/lib" })),
  ];
  for (const { directory, image } of places) {
    const from = await realpath(join(directory, name)).catch((cause: unknown) => {
      if (hasCode(cause, "ENOENT", "ENOTDIR")) return undefined;
      throw cause;
    });
    if (from === undefined) continue;
    const imageDirectory = image === directory ? await realpath(directory) : image;
    return { path: join(imageDirectory, name), from };
  }
  return undefined;
}
