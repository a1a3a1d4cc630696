import { posix } from "node:path";
import { ImageError } from "./error.ts";

/** One path of an image's file system. Paths are absolute and canonical; owner and mode are final. */
export type Entry = { readonly path: string; readonly uid: number; readonly gid: number } & (
  | { readonly kind: "content"; readonly content: Uint8Array; readonly mode: number }
  | { readonly kind: "host"; readonly from: string; readonly mode: number }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "directory"; readonly mode: number }
);

/** Root directories that are links into /usr, as in Debian. Images are laid out this way whatever the host does. */
const MERGED = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] as const;

/** Where a path really lies in an image: absolute, normalised, and below /usr for the merged directories. */
export function canonicalPath(path: string): string {
  if (!path.startsWith("/")) throw new ImageError(`Cannot pack path "${path}": it is relative, wanted an absolute one`);
  const normal = posix.normalize(path);
  const trimmed = normal.length > 1 && normal.endsWith("/") ? normal.slice(0, -1) : normal;
  const [, first = "", ...rest] = trimmed.split("/");
  return (MERGED as readonly string[]).includes(first) && rest.length > 0 ? `/usr/${[first, ...rest].join("/")}` : trimmed;
}

/**
 * Completes entries to a file system in tar order: parents come before what they hold, siblings by code unit, a later
 * entry of a path replaces an earlier one, missing parents become directories of root with mode 0755, and merged root
 * directories in use become links. Throws where a path lies below something that is no directory.
 */
export function layOut(entries: Iterable<Entry>): readonly Entry[] {
  const byPath = new Map<string, Entry>();
  for (const entry of entries) {
    const path = canonicalPath(entry.path);
    const isMergedRoot = (MERGED as readonly string[]).includes(path.slice(1));
    if (path !== "/" && !isMergedRoot) byPath.set(path, { ...entry, path });
  }
  for (const path of byPath.keys()) {
    for (let parent = posix.dirname(path); parent !== "/"; parent = posix.dirname(parent)) {
      const present = byPath.get(parent);
      if (present === undefined) byPath.set(parent, { kind: "directory", path: parent, mode: 0o755, uid: 0, gid: 0 });
      else if (present.kind !== "directory") {
        throw new ImageError(
          `Cannot pack path "${path}": "${parent}" is a ${present.kind === "symlink" ? "symlink" : "file"} in the image`,
        );
      }
    }
  }
  for (const name of MERGED) {
    if (byPath.has(`/usr/${name}`)) byPath.set(`/${name}`, { kind: "symlink", path: `/${name}`, target: `usr/${name}`, uid: 0, gid: 0 });
  }
  return [...byPath.values()].sort((a, b) => compare(a.path, b.path));
}

function compare(a: string, b: string): number {
  const [left, right] = [a.split("/"), b.split("/")];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [l = "", r = ""] = [left[index], right[index]];
    if (l !== r) return l < r ? -1 : 1;
  }
  return left.length - right.length;
}
