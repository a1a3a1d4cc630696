import type { Row } from "./report.ts";

export interface Bench {
  /** A figure is known. */
  row(row: Omit<Row, "part">): void;
  /** What is being done, for the one who waits. */
  progress(line: string): void;
  /** Files of this run; removed at its end. */
  readonly directory: string;
  /** Bundled programs, by the name of their source in this folder. */
  program(name: ProgramName): string;
  /** The product, as built: `dist/navarch.js`. */
  readonly navarch: string;
  /** Aborts when the part's time is over or the bench is stopped. */
  readonly signal: AbortSignal;
}

export type ProgramName = "api-server" | "load" | "dns-load" | "proxy-rules" | "start-cluster";

/** One sub-command of the bench. */
export interface Part {
  readonly name: string;
  readonly about: string;
  readonly limitMs: number;
  /** Why this machine cannot run it; undefined when it can. */
  readonly missing: () => Promise<string | undefined>;
  readonly run: (bench: Bench) => Promise<void>;
}

export const nothingMissing = () => Promise.resolve(undefined);
