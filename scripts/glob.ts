import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** All files below `dir` whose name ends in `suffix`, sorted. */
export async function glob(dir: string, suffix: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
