import { TimeError, timeParts } from "#machinery/time.ts";

/** v1.PodLogOptions, decoded. */
export interface LogOptions {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly stream: "All" | "Stdout" | "Stderr";
  readonly tailLines?: number;
  readonly limitBytes?: number;
  readonly sinceSeconds?: number;
  readonly sinceTime?: { readonly seconds: number; readonly nanos: number };
}

export type ParsedLogOptions =
  | { readonly ok: true; readonly options: LogOptions }
  | { readonly ok: false; readonly because: "undecodable" | "invalid" };

/** The query of a log request, with the rules of upstream's validation. */
export function parseLogOptions(query: URLSearchParams): ParsedLogOptions {
  const numbers: Partial<Record<"tailLines" | "limitBytes" | "sinceSeconds", number>> = {};
  for (const name of ["tailLines", "limitBytes", "sinceSeconds"] as const) {
    const text = name === "tailLines" ? tailLinesOf(query) : query.get(name);
    if (text === null || text === "") continue;
    if (!/^[+-]?\d{1,15}$/.test(text)) return { ok: false, because: "undecodable" };
    numbers[name] = Number(text);
  }
  let sinceTime: LogOptions["sinceTime"];
  const time = query.get("sinceTime");
  if (time !== null && time !== "") {
    try {
      sinceTime = timeParts(time);
    } catch (cause) {
      if (cause instanceof TimeError) return { ok: false, because: "undecodable" };
      throw cause;
    }
  }
  const stream = query.get("stream") ?? "All";
  const { tailLines, limitBytes, sinceSeconds } = numbers;
  const valid =
    (tailLines ?? 0) >= 0 &&
    (limitBytes ?? 1) >= 1 &&
    (sinceSeconds ?? 1) >= 1 &&
    !(sinceSeconds !== undefined && sinceTime !== undefined) &&
    !(tailLines !== undefined && stream !== "All");
  if (!valid || !isStream(stream)) return { ok: false, because: "invalid" };
  return {
    ok: true,
    options: {
      follow: flag(query, "follow"),
      previous: flag(query, "previous"),
      timestamps: flag(query, "timestamps"),
      stream,
      ...numbers,
      ...(sinceTime && { sinceTime }),
    },
  };
}

/** `tail` is the parameter's older name; its "all" is the default. */
function tailLinesOf(query: URLSearchParams): string | null {
  const tail = query.get("tail");
  if (tail === null || tail === "") return query.get("tailLines");
  return tail === "all" ? null : tail;
}

/** Present without a value counts as set. */
function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== "0" && value.toLowerCase() !== "false";
}

function isStream(text: string): text is LogOptions["stream"] {
  return text === "All" || text === "Stdout" || text === "Stderr";
}
