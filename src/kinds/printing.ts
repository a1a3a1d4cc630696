import type { LabelSelector } from "#machinery/api/meta-v1.ts";
import type { Container } from "#machinery/api/core-v1.ts";
import type { KubeObject } from "#machinery/object.ts";
import { formatLabelSelector, labelSelectorFrom, SelectorError } from "#machinery/selector.ts";
import type { Column } from "./kind.ts";

/** Cells of absent values, as kubectl users know them. */
export const NONE = "<none>";
export const UNKNOWN = "<unknown>";
export const UNSET = "<unset>";

type Cell<T> = Column<T>["cell"];

export function column<T>(name: string, description: string, cell: Cell<T>, type: Column<T>["type"] = "string"): Column<T> {
  return { name, type, description, cell };
}

/** A column of `-o wide` only. */
export function wideColumn<T>(name: string, description: string, cell: Cell<T>, type: Column<T>["type"] = "string"): Column<T> {
  return { name, type, description, wide: true, cell };
}

export const nameColumn: Column<KubeObject> = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name, unique within its namespace and kind.",
  cell: ({ metadata }) => metadata.name ?? "",
};

export const ageColumn: Column<KubeObject> = {
  name: "Age",
  type: "string",
  description: "Time since the object was created.",
  cell: ({ metadata }, now) => age(metadata.creationTimestamp, now),
};

/** Of kinds for which upstream has no printer of its own. */
export const createdAtColumn: Column<KubeObject> = {
  name: "Created At",
  type: "date",
  description: "When the object was created.",
  cell: ({ metadata }) => metadata.creationTimestamp ?? null,
};

/** Whether a timestamp is absent, null (as unset times are written) or the zero time. */
export function isZeroTime(time: string | undefined): time is undefined {
  return (time ?? "") === "" || time?.startsWith("0001-01-01T00:00:00") === true;
}

/** Time passed since `time`, at kubectl's precision. `now` is in milliseconds. */
export function age(time: string | undefined, now: number): string {
  if (isZeroTime(time)) return UNKNOWN;
  return humanDuration(now - Date.parse(time));
}

/** `5s`, `2m3s`, `3h4m`, `5d`: two units while the first is small, one when it is large. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / 1000);
  if (Number.isNaN(seconds) || seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return pair(minutes, "m", seconds % 60, "s");
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return pair(hours, "h", minutes % 60, "m");
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (days < 8) return pair(days, "d", hours % 24, "h");
  if (days < 2 * 365) return `${days}d`;
  const years = Math.floor(days / 365);
  if (years < 8) return pair(years, "y", days % 365, "d");
  return `${years}y`;
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
}

/** `a=b,c=d`, sorted by key. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? NONE : pairs.sort().join(",");
}

/** A label selector in the query syntax: `app=web,tier in (a,b),!old`. */
export function selectorText(selector: LabelSelector | undefined): string {
  try {
    return formatLabelSelector(labelSelectorFrom(selector)) || NONE;
  } catch (cause) {
    if (cause instanceof SelectorError) return "<error>";
    throw cause;
  }
}

/** At most three of a list, then how many are left. */
export function firstThree(list: readonly string[]): string {
  const shown = list.slice(0, 3).join(",");
  return list.length > 3 ? `${shown} + ${list.length - 3} more...` : shown;
}

interface Template {
  readonly spec?: { readonly containers?: readonly Container[] };
}

/** Containers and Images of workloads, wide unless `always`. */
export function containerColumns<T>(template: (object: T) => Template | undefined, always?: "always"): readonly Column<T>[] {
  const make = always === undefined ? wideColumn : column;
  const containers = (object: T) => template(object)?.spec?.containers ?? [];
  return [
    make<T>("Containers", "Names of each container in the template.", (object) =>
      containers(object)
        .map(({ name }) => name)
        .join(","),
    ),
    make<T>("Images", "Images referenced by each container in the template.", (object) =>
      containers(object)
        .map(({ image = "" }) => image)
        .join(","),
    ),
  ];
}

/** `True`, `False` or `<unset>`. */
export function booleanText(value: boolean | undefined): string {
  if (value === undefined) return UNSET;
  return value ? "True" : "False";
}

const MODE_SHORT: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};

/** `RWO,ROX`: each access mode once, in fixed order. */
export function accessModesText(modes: readonly string[] | undefined): string {
  return Object.entries(MODE_SHORT)
    .filter(([mode]) => modes?.includes(mode) === true)
    .map(([, short]) => short)
    .join(",");
}
