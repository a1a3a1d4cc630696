import { goQuote } from "./go-quote.ts";

/** Text that is no time; the message is upstream's. */
export class TimeError extends Error {
  override readonly name = "TimeError";
}

const RFC3339 = "2006-01-02T15:04:05Z07:00";
const RFC3339_MICRO = "2006-01-02T15:04:05.000000Z07:00";
const CANONICAL = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;

/** What a time of zero prints as; it counts as unset. */
export const ZERO_TIME = "0001-01-01T00:00:00Z";

/** RFC 3339 in UTC with whole seconds, as metav1.Time keeps it. Throws TimeError. */
export function canonicalTime(text: string): string {
  if (CANONICAL.test(text)) return text;
  const { seconds } = parseTime(text, RFC3339);
  return printSeconds(seconds);
}

/** RFC 3339 in UTC with six digits of fraction, as metav1.MicroTime keeps it. Throws TimeError. */
export function canonicalMicroTime(text: string): string {
  const { seconds, nanos } = parseTime(text, RFC3339_MICRO);
  return printMicroTime(seconds, nanos);
}

/** Seconds since the epoch and nanoseconds. Throws TimeError. */
export function timeParts(text: string): { readonly seconds: number; readonly nanos: number } {
  return parseTime(text, RFC3339);
}

export function printSeconds(seconds: number): string {
  return `${date(seconds)}Z`;
}

export function printMicroTime(seconds: number, nanos: number): string {
  return `${date(seconds)}.${String(Math.trunc(nanos / 1000)).padStart(6, "0")}Z`;
}

/** ISO date and time to the second, for years 0 to 9999. */
function date(seconds: number): string {
  return new Date(seconds * 1000)
    .toISOString()
    .replace(/^[+-]\d\d(\d{4})/, "$1")
    .slice(0, 19);
}

function parseTime(text: string, layout: string): { seconds: number; nanos: number } {
  let rest = text;
  const take = (pattern: RegExp, element: string): string => {
    const match = pattern.exec(rest);
    if (match === null) throw new TimeError(`parsing time ${goQuote(text)} as "${layout}": cannot parse ${goQuote(rest)} as "${element}"`);
    rest = rest.slice(match[0].length);
    return match[0];
  };
  const check = (ok: boolean, what: string): void => {
    if (!ok) throw new TimeError(`parsing time ${goQuote(text)}: ${what} out of range`);
  };
  const year = Number(take(/^\d{4}/, "2006"));
  take(/^-/, "-");
  const month = Number(take(/^\d\d/, "01"));
  check(month >= 1 && month <= 12, "month");
  take(/^-/, "-");
  const day = Number(take(/^\d\d/, "02"));
  take(/^T/, "T");
  const hour = Number(take(/^\d\d?/, "15"));
  check(hour < 24, "hour");
  take(/^:/, ":");
  const minute = Number(take(/^\d\d/, "04"));
  check(minute < 60, "minute");
  take(/^:/, ":");
  const second = Number(take(/^\d\d/, "05"));
  check(second < 60, "second");
  const fraction = layout === RFC3339_MICRO ? take(/^[.,]\d{6}/, ".000000").slice(1) : (/^[.,]\d+/.exec(rest)?.[0] ?? "").slice(1);
  if (layout === RFC3339 && fraction !== "") rest = rest.slice(fraction.length + 1);
  const zone = take(/^(Z|[+-]\d\d:\d\d)/, "Z07:00");
  if (rest !== "") throw new TimeError(`parsing time ${goQuote(text)}: extra text: ${goQuote(rest)}`);
  const at = new Date(0);
  at.setUTCFullYear(year, month - 1, day);
  check(day >= 1 && at.getUTCMonth() === month - 1, "day");
  const offset = zone === "Z" ? 0 : (zone.startsWith("-") ? -1 : 1) * (Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(4, 6)) * 60);
  const seconds = at.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset;
  return { seconds, nanos: Number(fraction.slice(0, 9).padEnd(9, "0")) };
}
