import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "#base/node/files.ts";
import { exec } from "#base/node/exec.ts";
import type { ProjectedFile, VolumeHost } from "../contract.ts";
import { isMountPoint, unmountBelow } from "./mounts.ts";

/** The link that all files of a projected volume go through. */
const DATA = "..data";
const DIRECTORY_MODE = 0o755;

export interface LinuxVolumesOptions {
  /** Whether secrets and tokens are kept off the disk, on tmpfs. @default true */
  readonly secretsInMemory?: boolean;
}

/** Volumes in the file system of this machine. Needs root for tmpfs and for owners other than itself. */
export function createLinuxVolumes({ secretsInMemory = true }: LinuxVolumesOptions = {}): VolumeHost {
  return {
    async emptyDirectory(path, { medium, sizeBytes, fsGroup, signal }) {
      if (medium === "memory") await mountTmpfs(path, sizeBytes, signal);
      else await mkdir(path, { recursive: true });
      await chmod(path, 0o777);
      await giveTo(path, fsGroup);
    },
    async project(path, files, { fsGroup, inMemory, signal }) {
      if (inMemory && secretsInMemory) await mountTmpfs(path, undefined, signal);
      else await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
      await chmod(path, DIRECTORY_MODE); // the umask may have taken bits away
      await project(path, files, fsGroup);
    },
    hostPath: checkHostPath,
    async subPath(volume, subPath, { target, fsGroup, signal }) {
      const path = await resolveSubPath(volume, subPath, fsGroup === undefined ? {} : { fsGroup });
      await bindWithoutLinks(await realpath(volume), path, { target, subPath, signal });
      return target;
    },
  };
}

/** Where `subPath` leads inside the volume, made when missing. Throws SubPathError where it leads out. */
export async function resolveSubPath(volume: string, subPath: string, { fsGroup }: { readonly fsGroup?: number }): Promise<string> {
  const root = await realpath(volume);
  const wanted = join(root, subPath);
  try {
    return inside(root, await realpath(wanted), subPath);
  } catch (cause) {
    if (!hasCode(cause, "ENOENT")) throw cause;
  }
  await makeInside(root, subPath);
  const made = inside(root, await realpath(wanted), subPath);
  await giveTo(made, fsGroup);
  return made;
}

/** A file handle that only names a place; Node has no constant for it. */
const O_PATH = 0o10000000;

/**
 * Bind-mounts `path`, below `root` and free of links when it was resolved, to `target`. It is walked step by step without
 * following links and mounted by its handle, so that a container which puts a link into the way gets an error and not the
 * machine's files.
 */
async function bindWithoutLinks(
  root: string,
  path: string,
  { target, subPath, signal }: { readonly target: string; readonly subPath: string; readonly signal: AbortSignal },
) {
  let handle = await open(root, O_PATH);
  try {
    for (const step of path
      .slice(root.length)
      .split("/")
      .filter((each) => each !== "")) {
      const next = await open(`/proc/self/fd/${handle.fd}/${step}`, O_PATH | constants.O_NOFOLLOW);
      await handle.close();
      handle = next;
      if ((await handle.stat()).isSymbolicLink())
        throw new SubPathError(`Cannot mount subPath "${subPath}": a link took its place, wanted no link`);
    }
    await unmountBelow(target, signal); // of an earlier start of the container
    if ((await handle.stat()).isDirectory()) await mkdir(target, { recursive: true });
    else {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, "", { flag: "a" });
    }
    await exec(["mount", "--no-canonicalize", "--bind", `/proc/${process.pid}/fd/${handle.fd}`, target], { signal });
  } finally {
    await handle.close();
  }
}

async function mountTmpfs(path: string, sizeBytes: number | undefined, signal: AbortSignal) {
  await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
  if (await isMountPoint(path)) return;
  const size = sizeBytes === undefined ? "" : `,size=${sizeBytes}`;
  await exec(["mount", "-t", "tmpfs", "-o", `mode=0755${size}`, "navarch-tmpfs", path], { signal });
}

/** Members of the group may write, and what they make is the group's. */
async function giveTo(path: string, fsGroup: number | undefined) {
  if (fsGroup === undefined) return;
  const { uid, mode } = await stat(path);
  await chown(path, uid, fsGroup);
  await chmod(path, (mode & 0o7777) | 0o2070);
}

async function project(path: string, files: readonly ProjectedFile[], fsGroup: number | undefined) {
  const current = await currentVersion(path);
  if (current !== undefined && (await holds(join(path, current), files, fsGroup))) return;
  const version = `..${new Date().toISOString().replace(/[-:T]/g, "_").slice(0, 19)}.${randomBytes(4).toString("hex")}`;
  const directory = join(path, version);
  await mkdir(directory, { mode: DIRECTORY_MODE });
  await chmod(directory, fsGroup === undefined ? DIRECTORY_MODE : 0o2775);
  if (fsGroup !== undefined) await chown(directory, 0, fsGroup);
  for (const file of files) {
    const target = join(directory, file.path);
    for (const parent of parentsOf(file.path)) {
      await mkdir(join(directory, parent), { recursive: true });
      await chmod(join(directory, parent), DIRECTORY_MODE);
    }
    await writeFile(target, file.content);
    await chmod(target, modeOf(file, fsGroup)); // not at creation: the umask would take bits away
    if (file.uid !== undefined || fsGroup !== undefined) await chown(target, file.uid ?? 0, fsGroup ?? 0);
  }
  const next = join(path, `${DATA}_tmp`);
  await rm(next, { force: true });
  await symlink(version, next);
  await rename(next, join(path, DATA)); // the switch: readers see all old files or all new ones
  const names = new Set(files.map((file) => file.path.split("/")[0] ?? ""));
  for (const name of names) await linkThroughData(path, name);
  for (const name of await readdir(path)) {
    if (name === DATA || name === version || names.has(name)) continue;
    await rm(join(path, name), { recursive: true, force: true });
  }
}

/** `a/b/c` lies in `a` and `a/b`. */
function parentsOf(path: string): readonly string[] {
  const steps = path.split("/").slice(0, -1);
  return steps.map((_, index) => steps.slice(0, index + 1).join("/"));
}

async function linkThroughData(path: string, name: string) {
  try {
    await symlink(join(DATA, name), join(path, name));
  } catch (cause) {
    if (!hasCode(cause, "EEXIST")) throw cause;
  }
}

async function currentVersion(path: string): Promise<string | undefined> {
  try {
    return await readlink(join(path, DATA));
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return undefined;
    throw cause;
  }
}

function modeOf({ mode }: ProjectedFile, fsGroup: number | undefined): number {
  return fsGroup === undefined ? mode : mode | 0o040;
}

async function holds(directory: string, files: readonly ProjectedFile[], fsGroup: number | undefined): Promise<boolean> {
  const found = await filesBelow(directory, "");
  if (found === undefined || found.length !== files.length) return false;
  for (const file of files) {
    if (!found.includes(file.path)) return false;
    const path = join(directory, file.path);
    const { mode } = await stat(path);
    if ((mode & 0o777) !== (modeOf(file, fsGroup) & 0o777) || !(await readFile(path)).equals(file.content)) return false;
  }
  return true;
}

async function filesBelow(directory: string, prefix: string): Promise<readonly string[] | undefined> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    const parts = await Promise.all(
      entries.map(async (entry) =>
        entry.isDirectory()
          ? ((await filesBelow(join(directory, entry.name), `${prefix}${entry.name}/`)) ?? [])
          : [`${prefix}${entry.name}`],
      ),
    );
    return parts.flat();
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return undefined;
    throw cause;
  }
}

/** https://kubernetes.io/docs/concepts/storage/volumes/#hostpath-volume-types */
async function checkHostPath(path: string, type: string): Promise<string | undefined> {
  if (type === "") return undefined;
  const found = await statOf(path);
  switch (type) {
    case "DirectoryOrCreate":
      if (found === undefined) await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
      return found === undefined || found.isDirectory() ? undefined : `hostPath type check failed: ${path} is not a directory`;
    case "Directory":
      return found?.isDirectory() === true ? undefined : `hostPath type check failed: ${path} is not a directory`;
    case "FileOrCreate":
      if (found === undefined) await writeFile(path, "", { mode: 0o644, flag: "a" });
      return found === undefined || found.isFile() ? undefined : `hostPath type check failed: ${path} is not a file`;
    case "File":
      return found?.isFile() === true ? undefined : `hostPath type check failed: ${path} is not a file`;
    case "Socket":
      return found?.isSocket() === true ? undefined : `hostPath type check failed: ${path} is not a socket file`;
    case "CharDevice":
      return found?.isCharacterDevice() === true ? undefined : `hostPath type check failed: ${path} is not a character device`;
    case "BlockDevice":
      return found?.isBlockDevice() === true ? undefined : `hostPath type check failed: ${path} is not a block device`;
    default:
      return `${type} is an invalid volume type`;
  }
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "ENOTDIR")) return undefined;
    throw cause;
  }
}

function inside(root: string, path: string, subPath: string): string {
  if (path === root || path.startsWith(`${root}/`)) return path;
  throw new SubPathError(`Cannot mount subPath "${subPath}": it leads out of its volume, wanted a path inside`);
}

/** A subPath that is not to be followed. */
export class SubPathError extends Error {
  override readonly name = "SubPathError";
}

/** Makes the missing directories one by one and follows no link, as a container may have put links there. */
async function makeInside(root: string, subPath: string) {
  let at = root;
  for (const step of subPath.split("/").filter((each) => each !== "" && each !== ".")) {
    at = join(at, step);
    try {
      await mkdir(at, { mode: 0o750 });
      await chmod(at, 0o755);
    } catch (cause) {
      if (!hasCode(cause, "EEXIST")) throw cause;
      if ((await lstat(at)).isSymbolicLink()) at = inside(root, await realpath(at), subPath);
    }
  }
}
