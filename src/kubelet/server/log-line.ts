/** One line of a log file in the runtime interface's format: `<time> <stream> <tags> <text>`. */
export interface LogLine {
  /** As written: RFC 3339 with a fraction and the writer's zone. */
  readonly time: string;
  readonly stream: "stdout" | "stderr";
  /** Ends with a newline, unless it is a part of a longer line. */
  readonly text: Buffer;
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
const SPACE = 0x20;
const NEWLINE = 0x0a;

/** `line` with its newline, if it has one. undefined: it is no line of this format. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const afterTime = line.indexOf(SPACE);
  const afterStream = line.indexOf(SPACE, afterTime + 1);
  const afterTags = line.indexOf(SPACE, afterStream + 1);
  if (afterTime < 0 || afterStream < 0 || afterTags < 0) return undefined;
  const time = line.toString("latin1", 0, afterTime);
  const stream = line.toString("latin1", afterTime + 1, afterStream);
  if (!TIME.test(time) || (stream !== "stdout" && stream !== "stderr")) return undefined;
  const [tag] = line.toString("latin1", afterStream + 1, afterTags).split(":");
  const end = tag === "P" && line.at(-1) === NEWLINE ? line.length - 1 : line.length;
  return { time, stream, text: line.subarray(afterTags + 1, end) };
}

/** The time as clients get it: the fraction always has nine digits. */
export function formatLogTime(time: string): string {
  const [, seconds = "", fraction = "", zone = ""] = /^(.{19})(?:\.(\d+))?(.*)$/.exec(time) ?? [];
  return `${seconds}.${fraction.padEnd(9, "0").slice(0, 9)}${zone}`;
}
