import { readFile } from "node:fs/promises";
import { exec } from "#base/node/exec.ts";

/** Mount points of this process's mount namespace, in order of mounting. */
export async function mountPoints(): Promise<readonly string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  return table
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => unescape(line.split(" ")[4] ?? ""));
}

export async function isMountPoint(path: string): Promise<boolean> {
  return (await mountPoints()).includes(path);
}

/** Unmounts `path` and all below it, innermost first. */
export async function unmountBelow(path: string, signal: AbortSignal): Promise<void> {
  const below = (await mountPoints()).filter((point) => point === path || point.startsWith(`${path}/`));
  for (const point of below.toReversed()) await exec(["umount", point], { signal });
}

/** The kernel writes blanks and backslashes as octal. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
