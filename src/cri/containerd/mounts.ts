import { readFile } from "node:fs/promises";
import { execResult } from "#base/node/exec.ts";
import { ContainerdError } from "./error.ts";

/** Mount points in the order of /proc/<pid>/mountinfo, with its octal escapes undone. */
export function parseMountPoints(mountinfo: string): readonly string[] {
  return mountinfo
    .split("\n")
    .map((line) => line.split(" ")[4])
    .filter((point) => point !== undefined)
    .map((point) => point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
}

export function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** What is mounted at or below the directories, innermost last. */
export async function mountsBelow(directories: readonly string[]): Promise<readonly string[]> {
  const points = parseMountPoints(await readFile("/proc/self/mountinfo", "utf8"));
  return points.filter((point) => directories.some((directory) => isBelow(point, directory)));
}

/** Unmounts everything at or below the directories, busy mounts lazily. Resolves when nothing is mounted there any more. */
export async function unmountBelow(directories: readonly string[], signal: AbortSignal): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const points = await mountsBelow(directories);
    if (points.length === 0) return;
    for (let at = points.length; at > 0; at -= 100) {
      await execResult(["umount", "--lazy", ...points.slice(Math.max(0, at - 100), at).toReversed()], { signal });
    }
  }
  const left = await mountsBelow(directories);
  if (left.length > 0) throw new ContainerdError(`Cannot unmount "${left.join('", "')}": still mounted after five attempts`);
}
