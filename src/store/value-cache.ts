import type { Version } from "./version.ts";

export interface ValueCache {
  /** Keeps the version's value in memory, at the cost of the oldest kept ones. The value must be on disk. */
  keep(version: Version): void;
}

/** The values of the newest versions, up to `maxBytes` of them. */
export function createValueCache(maxBytes: number): ValueCache {
  let kept: Version[] = [];
  let oldest = 0;
  let bytes = 0;
  return {
    keep(version) {
      if (version.value === undefined) return;
      kept.push(version);
      bytes += version.value.byteLength;
      while (bytes > maxBytes) {
        const dropped = kept[oldest++];
        bytes -= dropped?.value?.byteLength ?? 0;
        if (dropped !== undefined) dropped.value = undefined;
      }
      if (oldest > 1024 && oldest > kept.length / 2) {
        kept = kept.slice(oldest);
        oldest = 0;
      }
    },
  };
}
