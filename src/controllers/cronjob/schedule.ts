import { Cron } from "croner";
import type { Instant } from "#base/clock.ts";

/** When a CronJob is due. */
export interface Schedule {
  /** The first time after `after`; undefined: never again. */
  next(after: Instant): Instant | undefined;
}

const DESCRIPTORS: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};
const LAST = [59, 23, 31, 12, 6];
const UNIT_MS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * Reads a schedule that the API has accepted. Throws where it is none.
 *
 * Wall-clock times that a change of daylight-saving time skips are skipped, those that come twice are due twice, as in upstream.
 */
export function parseSchedule(text: string, timeZone: string): Schedule {
  const every = /^@every (.+)$/.exec(text)?.[1];
  if (every !== undefined) {
    const delayMs = Math.max(1_000, Math.floor(durationMs(every) / 1000) * 1000);
    return { next: (after) => Math.floor(after / 1000) * 1000 + delayMs };
  }
  const cron = new Cron(standardFields(DESCRIPTORS[text] ?? text), { timezone: "UTC", mode: "5-part", paused: true });
  const offsetAt = offsetsOf(timeZone);
  /** The first match after a wall-clock time, which is written as if it were UTC. */
  const nextWall = (wall: number) => cron.nextRun(new Date(wall))?.getTime();
  return {
    next(after) {
      for (let from = after, tries = 0; tries < 1_000; tries++) {
        const offset = offsetAt(from);
        const wall = nextWall(from + offset);
        if (wall === undefined) return undefined;
        const at = wall - offset;
        if (offsetAt(at) === offset) return at;
        const change = firstChange(offsetAt, from, at);
        const late = nextWall(change + offsetAt(change) - 1);
        if (late === undefined) return undefined;
        const found = late - offsetAt(change);
        if (offsetAt(found) === offsetAt(change)) return found;
        from = change;
      }
      return undefined;
    },
  };
}

/** `?` is any, and `3/5` runs to the end of the range: the parser means other things by them. */
function standardFields(text: string): string {
  return text
    .trim()
    .split(/\s+/)
    .map((field, i) =>
      field
        .split(",")
        .filter((part) => part !== "")
        .map((part) => part.replace("?", "*").replace(/^(\w+)\/(\d+)$/, (_, start: string, step: string) => `${start}-${LAST[i]}/${step}`))
        .join(","),
    )
    .join(" ");
}

function durationMs(text: string): number {
  let total = 0;
  for (const [, number, unit] of text.matchAll(/([0-9]*\.?[0-9]+|[0-9]+\.)(ns|us|µs|ms|s|m|h)/g))
    total += Number(number) * (UNIT_MS[unit ?? ""] ?? 0);
  return text.startsWith("-") ? 0 : total;
}

type Offsets = (at: Instant) => number;

/** Milliseconds by which wall clocks of a zone are ahead of UTC. */
export function offsetsOf(timeZone: string): Offsets {
  if (timeZone === "UTC" || timeZone === "Etc/UTC") return () => 0;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (at) => {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
    const wall = Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second"));
    return wall - Math.floor(at / 1000) * 1000;
  };
}

/** The first instant, to the second, between `from` and `to` at which the offset is another one than at `from`. */
function firstChange(offsetAt: Offsets, from: Instant, to: Instant): Instant {
  const before = offsetAt(from);
  let [low, high] = [Math.floor(from / 1000), Math.ceil(to / 1000)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle * 1000) === before) low = middle;
    else high = middle;
  }
  return high * 1000;
}

/** RFC 3339 with the offset of the zone: `2030-07-01T02:30:00+02:00`. */
export function zonedTime(at: Instant, timeZone: string): string {
  const offset = offsetsOf(timeZone)(at);
  const text = new Date(at + offset).toISOString().slice(0, 19);
  if (offset === 0) return `${text}Z`;
  const minutes = Math.abs(offset) / 60_000;
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  return `${text}${offset < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
}
