import type { ManagedFieldsEntry } from "#machinery/api/meta-v1.ts";
import { goQuote } from "#machinery/go-quote.ts";
import { isPlainObject, type PlainObject } from "#machinery/plain.ts";
import { type FieldSet, fieldsToSet, isEmpty, setToFields, union } from "./field-set.ts";

/** Who wrote which fields: one entry of metadata.managedFields, its fields as a set. */
export interface Manager {
  readonly name: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** Entries by managerKey. */
export type Managers = ReadonlyMap<string, Manager>;

/** Beyond this many updaters the oldest share one entry. */
const MAX_UPDATERS = 10;
const BUCKET = "ancient-changes";

/** Tells entries apart. An applier is the same in every API version. */
export function managerKey({ name, operation, apiVersion, subresource }: Omit<Manager, "time" | "fields">): string {
  return JSON.stringify([name, operation, operation === "Apply" ? "" : apiVersion, subresource]);
}

/** The entries of an object; undefined where one of them is malformed. */
export function decodeManagers(entries: unknown): Managers | undefined {
  const managers = new Map<string, Manager>();
  if (entries === undefined || entries === null) return managers;
  if (!Array.isArray(entries)) return undefined;
  for (const entry of entries as readonly unknown[]) {
    if (!isPlainObject(entry)) return undefined;
    const manager = decodeManager(entry);
    if (manager === undefined) return undefined;
    managers.set(managerKey(manager), manager);
  }
  return managers;
}

function decodeManager(entry: PlainObject): Manager | undefined {
  const { manager, operation, apiVersion, subresource, time, fieldsType, fieldsV1 } = entry;
  if ((operation !== "Apply" && operation !== "Update") || typeof apiVersion !== "string" || apiVersion === "") return undefined;
  const fields = fieldsToSet(fieldsV1 ?? {});
  if (fieldsType !== "FieldsV1" || fields === undefined) return undefined;
  return {
    name: typeof manager === "string" ? manager : "",
    operation,
    apiVersion,
    subresource: typeof subresource === "string" ? subresource : "",
    time: typeof time === "string" ? time : undefined,
    // The root is no path: `{}` is the empty set.
    fields: { ...fields, member: false },
  };
}

/** Appliers first, then by time, name, version and subresource; entries without fields are dropped. */
export function encodeManagers(managers: Managers): ManagedFieldsEntry[] {
  const seconds = ({ time }: Manager): string => time?.slice(0, 19) ?? "";
  return [...managers.values()]
    .filter(({ fields }) => !isEmpty(fields))
    .sort(
      (a, b) =>
        byText(a.operation, b.operation) ||
        byText(seconds(a), seconds(b)) ||
        byText(a.name, b.name) ||
        byText(a.apiVersion, b.apiVersion) ||
        byText(a.subresource, b.subresource),
    )
    .map((manager) => encodeManager(manager, setToFields(manager.fields)));
}

export function encodeManager(
  { name, operation, apiVersion, subresource, time }: Omit<Manager, "fields">,
  fieldsV1: PlainObject,
): ManagedFieldsEntry {
  return {
    ...(name === "" ? {} : { manager: name }),
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: "FieldsV1",
    fieldsV1,
    ...(subresource === "" ? {} : { subresource }),
  };
}

/** Merges the oldest updaters of each version into one entry until no more than ten are left. */
export function capUpdaters(managers: Managers): Managers {
  const updaters = [...managers].filter(([, manager]) => manager.operation === "Update");
  if (updaters.length <= MAX_UPDATERS) return managers;
  updaters.sort(([aKey, a], [bKey, b]) => byText(a.time ?? "", b.time ?? "") || byText(aKey, bKey));
  const result = new Map(managers);
  const firstOfVersion = new Map<string, string>();
  let left = updaters.length;
  for (const [key, manager] of updaters) {
    if (left <= MAX_UPDATERS) break;
    const first = firstOfVersion.get(manager.apiVersion);
    if (first === undefined) {
      firstOfVersion.set(manager.apiVersion, key);
      continue;
    }
    const bucket: Omit<Manager, "time" | "fields"> = { name: BUCKET, operation: "Update", apiVersion: manager.apiVersion, subresource: "" };
    const bucketKey = managerKey(bucket);
    const before = result.get(bucketKey) ?? result.get(first);
    if (first !== bucketKey) result.delete(first);
    if (key !== bucketKey) result.delete(key);
    const fields = before === undefined ? manager.fields : union(before.fields, manager.fields);
    result.set(bucketKey, { ...bucket, time: manager.time, fields });
    left--;
  }
  return result;
}

/** `"kubectl" with subresource "status" using apps/v1`, as conflicts name a manager. */
export function printManager({ name, operation, apiVersion, subresource }: Manager): string {
  const who = subresource === "" ? goQuote(name) : `${goQuote(name)} with subresource ${goQuote(subresource)}`;
  return operation === "Update" ? `${who} using ${apiVersion}` : who;
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
