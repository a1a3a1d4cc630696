/** What a figure has to keep to, from the table in DESIGN. */
export type Budget = { readonly atMost: number } | { readonly atLeast: number };

export interface Row {
  readonly part: string;
  readonly name: string;
  readonly value: number;
  /** Empty for ratios. */
  readonly unit: string;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly budget?: Budget;
  /** How to read the figure: what was left out, what held it back. */
  readonly note?: string;
}

/** A part of the bench that could not be run, and why, in one sentence. */
export interface Skipped {
  readonly part: string;
  readonly why: string;
}

export interface Report {
  readonly machine: {
    readonly cores: number;
    readonly memoryMb: number;
    readonly node: string;
    readonly kernel: string;
    /** Programs that wanted a core in the minute before the bench: others at work make all figures worse. */
    readonly loadBefore: number;
  };
  readonly startedAt: string;
  readonly seconds: number;
  readonly rows: readonly Row[];
  readonly skipped: readonly Skipped[];
  readonly failed: readonly Skipped[];
}

export type Verdict = "met" | "missed" | "";

export function verdictOf({ value, budget }: Row): Verdict {
  if (budget === undefined) return "";
  const met = "atMost" in budget ? value <= budget.atMost : value >= budget.atLeast;
  return met ? "met" : "missed";
}

/** The report as text: one line a figure, with its budget and whether it is kept. */
export function formatReport({ machine, rows, skipped, failed, seconds }: Report): string {
  const cells = rows.map((row) => [
    row.part,
    row.name,
    formatNumber(row.value),
    row.unit,
    row.p50Ms === undefined ? "" : formatNumber(row.p50Ms),
    row.p99Ms === undefined ? "" : formatNumber(row.p99Ms),
    formatBudget(row),
    verdictOf(row),
    row.note ?? "",
  ]);
  const lines = formatColumns([["part", "name", "value", "unit", "p50 ms", "p99 ms", "budget", "", "note"], ...cells], new Set([2, 4, 5]));
  const judged = rows.filter(({ budget }) => budget !== undefined);
  const met = judged.filter((row) => verdictOf(row) === "met").length;
  return [
    `${machine.cores} cores, ${machine.memoryMb} MB, Node ${machine.node}, Linux ${machine.kernel}, load ${machine.loadBefore.toFixed(1)} before`,
    "",
    ...lines,
    "",
    ...skipped.map(({ part, why }) => `not run: ${part}: ${why}`),
    ...failed.map(({ part, why }) => `FAILED: ${part}: ${why}`),
    `${met} of ${judged.length} budgets met; ${Math.round(seconds)} s`,
  ].join("\n");
}

export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2)));
}

function formatBudget({ budget, unit }: Row): string {
  if (budget === undefined) return "";
  const [sign, limit] = "atMost" in budget ? ["<=", budget.atMost] : [">=", budget.atLeast];
  return `${sign} ${formatNumber(limit)} ${unit}`.trimEnd();
}

function formatColumns(table: readonly (readonly string[])[], right: ReadonlySet<number>): string[] {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((line) => (line[column] ?? "").length)));
  return table.map((line) =>
    line
      .map((cell, column) => (right.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

/** Of unsorted values; NaN of none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

export function spread(values: readonly number[]): { readonly p50Ms: number; readonly p99Ms: number } {
  return { p50Ms: quantile(values, 0.5), p99Ms: quantile(values, 0.99) };
}
