/** A field of a schedule: its range, and names that stand for numbers. */
interface FieldRange {
  readonly min: number;
  readonly max: number;
  readonly names?: Readonly<Record<string, number>>;
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: readonly FieldRange[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: Object.fromEntries(MONTHS.map((name, i) => [name, i + 1])) },
  { min: 0, max: 6, names: Object.fromEntries(DAYS.map((name, i) => [name, i])) },
];

const DESCRIPTORS: ReadonlySet<string> = new Set(["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"]);
const DURATION = /^[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|µs|ms|s|m|h))+$/;

/** What is wrong with a schedule in standard Cron format, in the words of upstream's parser; undefined when it is right. */
export function scheduleError(schedule: string): string | undefined {
  if (schedule === "") return "empty spec string";
  if (schedule.startsWith("@")) return descriptorError(schedule);
  const fields = schedule.split(/\s+/).filter((field) => field !== "");
  if (fields.length !== FIELDS.length) return `expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`;
  for (const [i, range] of FIELDS.entries()) {
    for (const part of (fields[i] ?? "").split(",").filter((text) => text !== "")) {
      const error = rangeError(part, range);
      if (error !== undefined) return error;
    }
  }
  return undefined;
}

function descriptorError(text: string): string | undefined {
  if (DESCRIPTORS.has(text)) return undefined;
  const every = "@every ";
  if (!text.startsWith(every)) return `unrecognized descriptor: ${text}`;
  const duration = text.slice(every.length);
  return DURATION.test(duration) ? undefined : `failed to parse duration ${text}: time: invalid duration ${JSON.stringify(duration)}`;
}

/** `*`, `5`, `1-5`, `*\/15`, `mon-fri/2` */
function rangeError(text: string, { min, max, names = {} }: FieldRange): string | undefined {
  const [span = "", step, ...moreSteps] = text.split("/");
  const [low = "", high, ...moreBounds] = span.split("-");
  const any = low === "*" || low === "?";
  const start = any ? min : numberOf(low, names);
  if (typeof start === "string") return start;
  let end = any ? max : start;
  if (!any) {
    if (moreBounds.length > 0) return `too many hyphens: ${text}`;
    const bound = high === undefined ? start : numberOf(high, names);
    if (typeof bound === "string") return bound;
    end = bound;
  }
  if (moreSteps.length > 0) return `too many slashes: ${text}`;
  if (step !== undefined) {
    const by = numberOf(step, {});
    if (typeof by === "string") return by;
    if (by === 0) return `step of range should be a positive number: ${text}`;
    if (high === undefined) end = max;
  }
  if (start < min) return `beginning of range (${start}) below minimum (${min}): ${text}`;
  if (end > max) return `end of range (${end}) above maximum (${max}): ${text}`;
  return start > end ? `beginning of range (${start}) beyond end of range (${end}): ${text}` : undefined;
}

/** The number, or what is wrong with it. */
function numberOf(text: string, names: Readonly<Record<string, number>>): number | string {
  const named = names[text.toLowerCase()];
  if (named !== undefined) return named;
  if (!/^[-+]?[0-9]+$/.test(text)) {
    const quoted = JSON.stringify(text);
    return `failed to parse int from ${text}: strconv.Atoi: parsing ${quoted}: invalid syntax`;
  }
  const number = Number(text);
  return number < 0 ? `negative number (${number}) not allowed: ${text}` : number;
}

/** Whether the time zone database knows the name. */
export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "" && !/^[-+]/.test(name);
  } catch (cause) {
    if (cause instanceof RangeError) return false;
    throw cause;
  }
}
