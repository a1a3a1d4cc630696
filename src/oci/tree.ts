import { posix } from "node:path";
import { ImageError } from "./error.ts";

/** One path of an image's file system. Paths are absolute and canonical; owner and mode are final. */
export type Entry = { readonly path: string; readonly uid: number; readonly gid: number } & (
  | { readonly kind: "content"; readonly content: Uint8Array; readonly mode: number }
  | { readonly kind: "host"; readonly from: string; readonly mode: number }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "directory"; readonly mode: number }
);

/** Directories that are links to others, as in Debian, wherever an image has the other. Images are laid out this way whatever the host does. */
export const linkedDirectories: readonly { readonly link: string; readonly to: string }[] = [
  ...["bin", "sbin", "lib", "lib32", "lib64", "libx32"].map((name) => ({ link: `/${name}`, to: `/usr/${name}` })),
  { link: "/var/run", to: "/run" },
];

/** Where a path really lies in an image: absolute, normalised, and behind the linked directories. */
export function canonicalPath(path: string): string {
  if (!path.startsWith("/")) throw new ImageError(`Cannot pack path "${path}": it is relative, wanted an absolute one`);
  const normal = posix.normalize(path);
  const trimmed = normal.length > 1 && normal.endsWith("/") ? normal.slice(0, -1) : normal;
  const behind = linkedDirectories.find(({ link }) => trimmed.startsWith(`${link}/`));
  return behind === undefined ? trimmed : behind.to + trimmed.slice(behind.link.length);
}

/**
 * Completes entries to a file system in tar order: parents come before what they hold, siblings by code unit, a later
 * entry of a path replaces an earlier one, missing parents become directories of root with mode 0755, and linked
 * directories in use become links. Throws where a path lies below something that is no directory.
 */
export function layOut(entries: Iterable<Entry>): readonly Entry[] {
  const byPath = new Map<string, Entry>();
  const links = new Set(linkedDirectories.map(({ link }) => link));
  for (const entry of entries) {
    const path = canonicalPath(entry.path);
    if (path !== "/" && !links.has(path)) byPath.set(path, { ...entry, path });
  }
  for (const path of byPath.keys()) addParents(path);
  for (const { link, to } of linkedDirectories) {
    if (!byPath.has(to)) continue;
    byPath.set(link, { kind: "symlink", path: link, target: posix.relative(posix.dirname(link), to), uid: 0, gid: 0 });
    addParents(link);
  }
  return [...byPath.values()].sort((a, b) => compare(a.path, b.path));

  function addParents(path: string) {
    for (let parent = posix.dirname(path); parent !== "/"; parent = posix.dirname(parent)) {
      const present = byPath.get(parent);
      if (present === undefined) byPath.set(parent, { kind: "directory", path: parent, mode: 0o755, uid: 0, gid: 0 });
      else if (present.kind !== "directory") {
        const what = present.kind === "symlink" ? "symlink" : "file";
        throw new ImageError(`Cannot pack path "${path}": "${parent}" is a ${what} in the image`);
      }
    }
  }
}

function compare(a: string, b: string): number {
  const [left, right] = [a.split("/"), b.split("/")];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [l = "", r = ""] = [left[index], right[index]];
    if (l !== r) return l < r ? -1 : 1;
  }
  return left.length - right.length;
}
