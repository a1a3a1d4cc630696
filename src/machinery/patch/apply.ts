import { sameJson } from "#machinery/deep-equal.ts";
import type { ManagedFieldsEntry, StatusCause } from "#machinery/api/meta-v1.ts";
import type { KubeObject } from "#machinery/object.ts";
import { isPlainObject, type PlainObject } from "#machinery/plain.ts";
import { StatusError } from "#machinery/status.ts";
import {
  difference, differenceBelow, EMPTY_SET, type FieldSet, intersection, isEmpty, printPaths, setOf, union,
} from "./field-set.ts"; // biome-ignore format: one glance
import { createdFields } from "./created-fields.ts";
import {
  capUpdaters,
  decodeManagers,
  encodeManager,
  encodeManagers,
  type Manager,
  type Managers,
  managerKey,
  printManager,
} from "./managed-fields.ts";
import type { ObjectSchema } from "./merge-schema.ts";
import { PatchError } from "./patch-error.ts";
import {
  type Comparison, checkConfiguration, compareValues, fieldSetOf, knownPaths, mergeValues, removePaths, withNamedFields,
} from "./typed-merge.ts"; // biome-ignore format: one glance

/** Who writes, through what, and when. */
export interface Writer {
  readonly schema: ObjectSchema;
  /** Field manager; "" is written as "unknown". */
  readonly manager: string;
  /** `apps/v1`: the version that the request speaks. */
  readonly apiVersion: string;
  /** "" for the main resource. */
  readonly subresource: string;
  /** Fields that this endpoint resets (status on the main resource, spec on /status): they are owned by nobody through it. */
  readonly resetFields?: FieldSet;
  /** metav1.Time: `2030-01-01T00:00:00Z`. */
  readonly now: string;
}

export interface ApplyInput extends Writer {
  /** The stored object, or one with nothing but its name where there is none yet. Canonical, as the decoder leaves it. */
  readonly live: KubeObject;
  /** The configuration as the client sent it: no defaults, nothing added. */
  readonly applied: unknown;
  readonly force: boolean;
}

export type Applied =
  /** To be decoded and defaulted again: values stand as they were applied. `unchanged` when nothing but ownership may differ from live. */
  { readonly ok: true; readonly object: KubeObject; readonly unchanged: boolean } | { readonly ok: false; readonly error: StatusError };

const BEFORE_FIRST_APPLY = "before-first-apply";
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** Identity and bookkeeping fields that nobody owns. */
const UNOWNED = setOf(
  ["apiVersion"], ["kind"], ["metadata"],
  ...["name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields", "resourceVersion"].map(
    (name) => ["metadata", name],
  ),
); // biome-ignore format: one glance

/**
 * Server-side apply. What the manager applied last time and leaves out now is removed unless someone else owns it; what others own
 * and the configuration would change is a conflict unless `force`. Nothing that is given is changed. Throws PatchError for a
 * configuration that does not fit the schema.
 */
export function applyConfiguration(input: ApplyInput): Applied {
  const { applied, live, schema } = input;
  if (!isPlainObject(applied)) throw new PatchError("bad", "error decoding YAML: wanted an object");
  const appliedMeta = applied["metadata"];
  if (isPlainObject(appliedMeta) && appliedMeta["managedFields"] !== undefined && appliedMeta["managedFields"] !== null) {
    throw new PatchError("bad", "metadata.managedFields must be nil");
  }
  checkApplied(input, applied);
  const liveBare = withoutManagers(live);
  const before = startingManagers(input, liveBare);
  const first = tryApply(input, applied, liveBare, before, input.force);
  const outcome = first.ok ? first : retryForKubectl(input, applied, liveBare, before, first.conflicts);
  if (!outcome.ok) return { ok: false, error: conflictError(outcome.conflicts) };

  const unchanged = sameJson(outcome.object, liveBare);
  const key = keyOfWriter(input, "Apply");
  const managers = new Map(outcome.managers);
  const mine = managers.get(key);
  if (mine !== undefined) {
    const time = unchanged ? before.get(key)?.time : input.now;
    const fields = difference(mine.fields, UNOWNED);
    if (isEmpty(fields)) managers.delete(key);
    else managers.set(key, { ...mine, fields, time });
  }
  const object = input.manager === "kubectl" ? withLastApplied(outcome.object, applied) : outcome.object;
  return { ok: true, object: withManagers(object, capUpdaters(managers)), unchanged: unchanged && sameJson(object, liveBare) };

  function checkApplied({ apiVersion }: Writer, configuration: PlainObject): void {
    try {
      checkConfiguration(schema.root, configuration);
    } catch (cause) {
      if (!(cause instanceof PatchError)) throw cause;
      const { name = "", namespace = "" } = isPlainObject(appliedMeta) ? appliedMeta : {};
      const who = `${namespace}/${name}; ${apiVersion}, Kind=${live.kind}`;
      throw new PatchError("unprocessable", `failed to create typed patch object (${who}): ${cause.message}`);
    }
  }
}

/** A write that is no apply: what it changed belongs to `manager` now, what it removed to nobody. */
export interface UpdateInput extends Writer {
  /** The stored object; undefined at creation. */
  readonly live: KubeObject | undefined;
  readonly next: KubeObject;
}

/**
 * `next` with its managedFields brought up to date. managedFields that the client sent count on the main resource; an empty list resets
 * them; malformed or missing ones fall back to the stored ones. An object that nobody tracks stays untracked. Never fails: where a
 * list cannot be told apart, the object comes back without managedFields.
 */
export function trackUpdate<T extends KubeObject>(input: UpdateInput & { readonly next: T }): T {
  const { live, next } = input;
  const sent = next.metadata.managedFields as unknown;
  const bare = withoutManagers(next);
  const managers = managersFor(sent, live, input.subresource);
  if (managers.size === 0 && live !== undefined) return bare as T;
  try {
    if (live === undefined && managers.size === 0) return withFirstManager(bare, input) as T;
    const before: unknown = live === undefined ? input.schema.empty() : withoutManagers(live);
    return withManagers(bare, capUpdaters(recordUpdate(input, before, bare, managers))) as T;
  } catch (cause) {
    if (cause instanceof PatchError) return bare as T;
    throw cause;
  }
}

/**
 * Where an update changed nothing but the times of managedFields, the stored object's managedFields: so that writing the same again
 * makes no new revision.
 */
export function withoutTimestampChange<T extends KubeObject>(live: T, next: T): T {
  // Sorted, because new times change the order of entries.
  const timeless = (object: KubeObject) =>
    object.metadata.managedFields?.map((entry) => JSON.stringify({ ...entry, time: undefined })).sort();
  const strip = (object: KubeObject) => {
    const { resourceVersion: _, managedFields: __, ...metadata } = object.metadata;
    return { ...object, metadata };
  };
  if (!sameJson(timeless(live), timeless(next)) || !sameJson(strip(live), strip(next))) return next;
  const { managedFields } = live.metadata;
  return managedFields === undefined ? next : { ...next, metadata: { ...next.metadata, managedFields } };
}

function managersFor(sent: unknown, live: KubeObject | undefined, subresource: string): Managers {
  const stored = decodeManagers(live?.metadata.managedFields) ?? new Map<string, Manager>();
  if (subresource !== "") return stored;
  if (Array.isArray(sent) && (sent.length === 0 || (sent.length === 1 && isPlainObject(sent[0]) && Object.keys(sent[0]).length === 0))) {
    return new Map();
  }
  const theirs = decodeManagers(sent);
  return theirs === undefined || theirs.size === 0 ? stored : theirs;
}

function recordUpdate(writer: Writer, before: unknown, after: unknown, managers: Managers): Managers {
  const change = filtered(compareValues(writer.schema.root, before, after), writer.resetFields);
  const taken = union(change.modified, change.added);
  const result = new Map<string, Manager>();
  for (const [key, manager] of managers) {
    const fields = difference(difference(manager.fields, taken), change.removed);
    if (!isEmpty(fields)) result.set(key, { ...manager, fields });
  }
  const mine = difference(taken, UNOWNED);
  if (isEmpty(mine)) return result;
  const key = keyOfWriter(writer, "Update");
  const previous = result.get(key);
  const fields = previous === undefined ? mine : union(mine, previous.fields);
  result.set(key, { ...identityOf(writer, "Update"), time: writer.now, fields });
  return result;
}

/** An object that was never tracked: all that it has belongs to a manager of its own. */
function startingManagers(input: ApplyInput, live: KubeObject): Managers {
  const stored = decodeManagers(input.live.metadata.managedFields);
  if (stored === undefined) throw new PatchError("unprocessable", "failed to decode managed fields: entry is malformed");
  if (stored.size > 0) return stored;
  return recordUpdate({ ...input, manager: BEFORE_FIRST_APPLY }, input.schema.empty(), live, stored);
}

interface Conflict {
  readonly manager: Manager;
  readonly fields: FieldSet;
}
type Attempt =
  | { readonly ok: true; readonly object: KubeObject; readonly managers: Managers }
  | { readonly ok: false; readonly conflicts: readonly Conflict[] };

function tryApply(input: ApplyInput, applied: PlainObject, live: KubeObject, before: Managers, force: boolean): Attempt {
  const { schema, resetFields } = input;
  const key = keyOfWriter(input, "Apply");
  const last = before.get(key);
  const fields = fieldSetOf(schema.root, applied);
  const managers = new Map(before);
  managers.set(key, {
    ...identityOf(input, "Apply"),
    time: last?.time,
    fields: resetFields === undefined ? fields : differenceBelow(fields, resetFields),
  });
  const merged = mergeValues(schema.root, live, applied);
  const object = prune(input, merged, managers, last) as KubeObject;

  const change = filtered(compareValues(schema.root, live, object), resetFields);
  const taken = union(change.modified, change.added);
  const conflicts: Conflict[] = [];
  for (const [other, manager] of managers) {
    if (other === key) continue;
    const both = intersection(manager.fields, taken);
    if (!isEmpty(both)) conflicts.push({ manager, fields: both });
  }
  if (conflicts.length > 0 && !force) return { ok: false, conflicts };
  for (const [other, manager] of managers) {
    if (other === key) continue;
    const left = difference(difference(manager.fields, taken), change.removed);
    if (isEmpty(left)) managers.delete(other);
    else managers.set(other, { ...manager, fields: left });
  }
  if (isEmpty(managers.get(key)?.fields ?? EMPTY_SET)) managers.delete(key);
  return { ok: true, object, managers };
}

/** Removes what this manager applied last time and does not apply now, unless another manager owns it. */
function prune({ schema: { root } }: ApplyInput, merged: unknown, managers: Managers, last: Manager | undefined): unknown {
  if (last === undefined || isEmpty(last.fields)) return merged;
  const lastFields = withNamedFields(root, knownPaths(root, last.fields));
  const mergedFields = withNamedFields(root, fieldSetOf(root, merged));
  let kept = withNamedFields(root, fieldSetOf(root, removePaths(root, merged, lastFields)));
  for (const manager of managers.values()) kept = union(kept, withNamedFields(root, knownPaths(root, manager.fields)));
  const pruned = removePaths(root, merged, difference(mergedFields, kept));
  // Only what was this manager's goes: fields that nobody owns stay.
  const prunedFields = withNamedFields(root, fieldSetOf(root, pruned));
  return removePaths(root, merged, intersection(difference(mergedFields, prunedFields), lastFields));
}

/**
 * `kubectl apply --server-side` on an object from client-side apply: fields that are still as the last-applied annotation has them
 * are the same user's, and no conflict.
 */
function retryForKubectl(
  input: ApplyInput,
  applied: PlainObject,
  live: KubeObject,
  before: Managers,
  conflicts: readonly Conflict[],
): Attempt {
  const allowed = input.manager === "kubectl" ? lastAppliedFields(input, live) : undefined;
  if (allowed === undefined) return { ok: false, conflicts };
  const left = conflicts
    .map(({ manager, fields }) => ({ manager, fields: difference(fields, allowed) }))
    .filter(({ fields }) => !isEmpty(fields));
  return left.length > 0 ? { ok: false, conflicts: left } : tryApply(input, applied, live, before, true);
}

function lastAppliedFields({ schema: { root }, apiVersion }: ApplyInput, live: KubeObject): FieldSet | undefined {
  const text = live.metadata.annotations?.[LAST_APPLIED];
  if (text === undefined || text === "") return undefined;
  try {
    const config: unknown = JSON.parse(text);
    if (!isPlainObject(config) || config["apiVersion"] !== apiVersion) return undefined;
    checkConfiguration(root, config);
    const { modified, added, removed } = compareValues(root, config, live);
    return difference(difference(difference(fieldSetOf(root, config), modified), added), removed);
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof PatchError) return undefined;
    throw cause;
  }
}

/** Keeps the annotation of client-side apply in step, where there is one. */
function withLastApplied(object: KubeObject, applied: PlainObject): KubeObject {
  const { annotations } = object.metadata;
  if (annotations?.[LAST_APPLIED] === undefined || annotations[LAST_APPLIED] === "") return object;
  const metadata = isPlainObject(applied["metadata"]) ? { ...applied["metadata"] } : {};
  if (isPlainObject(metadata["annotations"])) {
    const { [LAST_APPLIED]: _, ...others } = metadata["annotations"];
    metadata["annotations"] = others;
  }
  const text = `${JSON.stringify(sortedKeys({ ...applied, metadata }))}\n`;
  return { ...object, metadata: { ...object.metadata, annotations: { ...annotations, [LAST_APPLIED]: text } } };
}

function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sortedKeys(value[key])]),
  );
}

function filtered(change: Comparison, resetFields: FieldSet | undefined): Comparison {
  if (resetFields === undefined) return change;
  return {
    added: differenceBelow(change.added, resetFields),
    removed: differenceBelow(change.removed, resetFields),
    modified: differenceBelow(change.modified, resetFields),
  };
}

function conflictError(conflicts: readonly Conflict[]): StatusError {
  const all = conflicts
    .map(({ manager, fields }) => ({ who: printManager(manager), paths: printPaths(fields) }))
    .sort((a, b) => (a.who < b.who ? -1 : a.who > b.who ? 1 : 0));
  const causes: StatusCause[] = all.flatMap(({ who, paths }) =>
    paths.map((field) => ({ reason: "FieldManagerConflict", message: `conflict with ${who}`, field })),
  );
  const [only] = causes;
  const text = all.map(({ who, paths }) => [`conflicts with ${who}:`, ...paths.map((path) => `- ${path}`)].join("\n")).join("\n");
  const message =
    causes.length === 1 && only !== undefined
      ? `Apply failed with 1 conflict: ${only.message}: ${only.field ?? ""}`
      : `Apply failed with ${causes.length} conflicts: ${text}`;
  return new StatusError({ reason: "Conflict", code: 409, message, details: { causes } });
}

function identityOf({ manager, apiVersion, subresource }: Writer, operation: "Apply" | "Update") {
  return { name: manager === "" ? "unknown" : manager, operation, apiVersion, subresource };
}

function keyOfWriter(writer: Writer, operation: "Apply" | "Update"): string {
  return managerKey(identityOf(writer, operation));
}

function withoutManagers(object: KubeObject): KubeObject {
  if (object.metadata.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** What withManagers of recordUpdate makes of an object that nobody has managed yet, without a set of its fields. */
function withFirstManager(object: KubeObject, writer: Writer): KubeObject {
  const { schema, resetFields = EMPTY_SET, now } = writer;
  const fields = createdFields(schema.root, schema.empty(), object, { unowned: UNOWNED, reset: resetFields });
  if (fields === undefined) return object;
  const managedFields = [encodeManager({ ...identityOf(writer, "Update"), time: now }, fields)];
  return { ...object, metadata: { ...object.metadata, managedFields } };
}

function withManagers(object: KubeObject, managers: Managers): KubeObject {
  const managedFields: ManagedFieldsEntry[] = encodeManagers(managers);
  return managedFields.length === 0 ? object : { ...object, metadata: { ...object.metadata, managedFields } };
}
