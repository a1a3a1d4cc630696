import type { Pod } from "#machinery/api/core-v1.ts";

export const COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index";

/** The index of a pod of an Indexed Job below `completions`. */
export function indexOf({ metadata }: Pod, completions: number): number | undefined {
  const text = metadata.annotations?.[COMPLETION_INDEX];
  const index = Number(text);
  return text !== undefined && /^\d+$/.test(text) && index < completions ? index : undefined;
}

/** Reads `1,3-5,7`; what is not below `end`, and everything after it, is left out. */
export function parseIndexes(text: string | undefined, end: number): ReadonlySet<number> {
  const indexes = new Set<number>();
  for (const part of (text ?? "").split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) continue;
    const last = Math.min(Number(match[2] ?? match[1]), end - 1);
    for (let index = Number(match[1]); index <= last; index++) indexes.add(index);
  }
  return indexes;
}

/** Writes `1,3-5,7`: two neighbours are listed, more make a range. */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const runs: { first: number; last: number }[] = [];
  for (const index of [...indexes].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && run.last + 1 === index) run.last = index;
    else runs.push({ first: index, last: index });
  }
  return runs
    .map(({ first, last }) => (first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`))
    .join(",");
}
