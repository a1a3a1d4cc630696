import { pathToFileURL } from "node:url";
import type * as PackageEntry from "#cmd/start-cluster.ts";
import { answerJob } from "../processes.ts";

export interface StartClusterJob {
  /** The package's entry, as built. */
  readonly entry: string;
  readonly times: number;
}

export interface StartClusterResult {
  readonly importMs: number;
  readonly startMs: readonly number[];
}

answerJob(async ({ entry, times }: StartClusterJob): Promise<StartClusterResult> => {
  let from = performance.now();
  const { startCluster } = (await import(pathToFileURL(entry).href)) as typeof PackageEntry;
  const importMs = performance.now() - from;
  const startMs: number[] = [];
  for (let n = 0; n < times; n++) {
    from = performance.now();
    const cluster = await startCluster({ nodes: 1 });
    startMs.push(performance.now() - from);
    await cluster[Symbol.asyncDispose]();
  }
  return { importMs, startMs };
});
