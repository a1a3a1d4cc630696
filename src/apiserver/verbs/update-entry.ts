import { isDeepStrictEqual } from "node:util";
import type { KubeObject, Stored } from "#machinery/object.ts";
import type { FieldError } from "#machinery/field-error.ts";
import { badRequest, conflict, modifiedConflict, notFound } from "#machinery/status.ts";
import type { Kind } from "#kinds/kind.ts";
import type { Entry } from "#store/watch-hub.ts";
import { type ManagerOf, updatedFields } from "../managed-fields.ts";
import { withoutTimestampChange } from "#machinery/patch/apply.ts";
import type { Resource } from "../resource.ts";
import type { Served } from "../served.ts";
import { check, validateUpdated } from "../validation.ts";
import { commitDelete, commitPut, dryEntry, MAX_ATTEMPTS, tooManyConflicts } from "./commit.ts";
import { createEntry, nothingTaken } from "./create.ts";
import { namespaceOf } from "./get.ts";
import { hooksOf } from "./write-options.ts";
import type { WriteContext } from "./write-context.ts";

/** What a write to the main resource or to one of its subresources may change, and what it must satisfy. */
export interface UpdateRules {
  /** "" for the main resource. */
  readonly subresource: string;
  readonly prepare: (next: KubeObject, previous: KubeObject) => KubeObject;
  readonly validate: (next: KubeObject, previous: KubeObject) => readonly FieldError[];
  /** Writes that nobody owns fields by: managedFields stay as they are. */
  readonly untracked?: true;
}

export interface UpdateTarget {
  readonly namespace: string;
  readonly name: string;
  readonly rules: UpdateRules;
  /** Makes the wished state from the current one. Called again when another write came between. */
  readonly build: (current: Stored<KubeObject>) => Promise<KubeObject> | KubeObject;
  /** Whether a resourceVersion in the built object holds only for that state. False for patches, which carry the current one. @default true */
  readonly pinned?: boolean;
  /** `build` has tracked the change already (server-side apply). @default false */
  readonly tracked?: boolean;
  /** The object to create when there is none; undefined answers 404. */
  readonly missing?: () => Promise<KubeObject>;
}

export interface Updated {
  readonly entry: Entry;
  readonly created: boolean;
}

export function mainRules(kind: Kind): UpdateRules {
  const { strategy } = kind;
  return {
    subresource: "",
    prepare: (next, previous) => strategy.prepareForUpdate?.(next, previous) ?? next,
    validate: (next, previous) => [...(strategy.validate?.(next) ?? []), ...(strategy.validateUpdate?.(next, previous) ?? [])],
  };
}

export function statusRules(kind: Kind): UpdateRules {
  const { strategy } = kind;
  return {
    subresource: "status",
    prepare: (next, previous) => strategy.prepareForStatusUpdate?.(next, previous) ?? onlyStatus(next, previous),
    validate: (next, previous) => strategy.validateStatusUpdate?.(next, previous) ?? [],
  };
}

/** Status writers own status, and labels and annotations like everybody else. */
function onlyStatus(next: KubeObject, previous: KubeObject): KubeObject {
  const { labels, annotations } = next.metadata;
  const { labels: _labels, annotations: _annotations, ...metadata } = previous.metadata;
  const { status: _status, ...rest } = previous as KubeObject & { readonly status?: unknown };
  const { status } = next as KubeObject & { readonly status?: unknown };
  return {
    ...rest,
    metadata: {
      ...metadata,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    ...(status === undefined ? {} : { status }),
  };
}

/**
 * Read, change, compare-and-swap. A change that carries a resourceVersion or a uid holds only for that state (409 otherwise); one that
 * does not is made anew on the newer state.
 */
export async function updateEntry(served: Served, resource: Resource, target: UpdateTarget, context: WriteContext): Promise<Updated> {
  const { name, namespace } = target;
  const key = resource.keyOf(namespaceOf(resource, namespace), name);
  await resource.fresh(context.signal);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const current = resource.cache.get(key);
    if (current === undefined) {
      const missing = await target.missing?.();
      if (missing === undefined) throw notFound(resource.name, name);
      return { entry: await createEntry(served, resource, missing, context, target.tracked), created: true };
    }
    const previous = resource.parse(current);
    const entry = await updateOnce(served, resource, target, context, current, previous);
    if (entry !== undefined) return { entry, created: false };
  }
  throw tooManyConflicts(resource, name);
}

async function updateOnce(
  served: Served,
  resource: Resource,
  target: UpdateTarget,
  context: WriteContext,
  current: Entry,
  previous: Stored<KubeObject>,
): Promise<Entry | undefined> {
  const { kind } = resource;
  const { rules, name } = target;
  const built = await target.build(previous);
  const pinned = checkIdentity(resource, built, previous, name) && target.pinned !== false;
  const prepared = withSystemMetadata(kind, rules.prepare(withFixedMetadata(built, previous), previous), previous, rules);
  const now = served.clock.now();
  const manager = { manager: context.fieldManager, now, ...(rules.subresource === "" ? {} : { subresource: rules.subresource }) };
  const tracked = trackedBy(target, kind, previous, prepared, built, manager);
  const request = (object: KubeObject) => ({
    operation: "UPDATE" as const,
    kind,
    subresource: rules.subresource,
    namespace: target.namespace,
    name,
    object,
    previous,
    user: context.user,
    dryRun: context.dryRun,
    warn: context.warn,
    signal: context.signal,
  });
  const admitted = await served.admission.admit(request(tracked));
  const hooks = rules.subresource === "" ? hooksOf(served, kind) : undefined;
  const taken = await (hooks?.update?.(admitted, previous, context.dryRun) ?? nothingTaken(admitted));
  try {
    const next = withoutTimestampChange(previous as KubeObject, taken.object);
    check(kind, next, [...validateUpdated(kind, next, previous), ...rules.validate(next, previous)]);
    if (rules.subresource === "") for (const text of kind.strategy.warnings?.(next, previous) ?? []) context.warn(text);
    await served.admission.validate(request(next));

    const deletes = isFinished(next, previous);
    if (context.dryRun) {
      taken.undo();
      return dryEntry(resource, current.key, next, current);
    }
    if (deletes) {
      const put = await commitDelete(served, resource, current, current.revision, context.signal);
      if (put === undefined) return (taken.undo(), raced());
      hooks?.deleted?.(previous);
      taken.done();
      return resource.entryOf(current.key, resource.encode(next), put.revision);
    }
    if (isUnchanged(next, previous)) {
      taken.done();
      return current;
    }
    const entry = await commitPut(served, resource, current.key, next, current.revision, context.signal);
    if (entry === undefined) return (taken.undo(), raced());
    taken.done();
    return entry;
  } catch (cause) {
    taken.undo();
    throw cause;
  }

  function raced(): undefined {
    if (pinned) throw modifiedConflict(resource.name, name);
    return undefined;
  }
}

/** Whether the change is meant for exactly this state. Throws 409 when it is meant for another. */
function checkIdentity(resource: Resource, built: KubeObject, previous: Stored<KubeObject>, name: string): boolean {
  const { metadata } = built;
  if (metadata.name !== undefined && metadata.name !== "" && metadata.name !== name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  }
  if (metadata.uid !== undefined && metadata.uid !== "" && metadata.uid !== previous.metadata.uid) {
    throw conflict(
      resource.name,
      name,
      `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${previous.metadata.uid}`,
    );
  }
  const { resourceVersion } = metadata;
  if (resourceVersion === undefined || resourceVersion === "" || resourceVersion === "0") return false;
  if (resourceVersion !== previous.metadata.resourceVersion) throw modifiedConflict(resource.name, name);
  return true;
}

function trackedBy(
  { rules, tracked }: UpdateTarget,
  kind: Kind,
  previous: KubeObject,
  next: KubeObject,
  built: KubeObject,
  manager: ManagerOf,
): KubeObject {
  if (rules.untracked !== true && tracked !== true) return updatedFields(kind, previous, next, manager);
  const { managedFields } = tracked === true ? built.metadata : previous.metadata;
  const { managedFields: _, ...metadata } = next.metadata;
  return { ...next, metadata: managedFields === undefined ? metadata : { ...metadata, managedFields } };
}

/** What no update changes. */
function withFixedMetadata(next: KubeObject, previous: Stored<KubeObject>): KubeObject {
  const { name, namespace, uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation, generateName } =
    previous.metadata;
  const { deletionTimestamp: _d, deletionGracePeriodSeconds: _g, generation: _n, selfLink: _s, ...own } = next.metadata;
  return {
    ...next,
    metadata: {
      ...own,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(own.generateName === undefined && generateName !== undefined ? { generateName } : {}),
      uid,
      resourceVersion: previous.metadata.resourceVersion,
      creationTimestamp,
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(deletionGracePeriodSeconds === undefined ? {} : { deletionGracePeriodSeconds }),
      ...(generation === undefined ? {} : { generation }),
    },
  };
}

function withSystemMetadata(kind: Kind, next: KubeObject, previous: Stored<KubeObject>, rules: UpdateRules): KubeObject {
  if (KEEPS_GENERATION.has(rules.subresource) || !makesGeneration(kind, next, previous)) return next;
  return { ...next, metadata: { ...next.metadata, generation: (previous.metadata.generation ?? 0) + 1 } };
}

/** Subresources that write past the rules of the spec. */
const KEEPS_GENERATION = new Set(["status", "binding", "eviction", "approval", "finalize"]);

function makesGeneration(kind: Kind, next: KubeObject, previous: KubeObject): boolean {
  const { generation = "none" } = kind.strategy;
  if (generation === "none") return false;
  if (generation === "spec") return !isDeepStrictEqual(specOf(next), specOf(previous));
  return generation(next, previous);
}

function specOf(object: KubeObject): unknown {
  return (object as KubeObject & { readonly spec?: unknown }).spec;
}

/** Whether the update takes the last finalizer from an object that is being deleted. */
function isFinished(next: KubeObject, previous: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = next.metadata;
  if (deletionTimestamp === undefined || finalizers.length > 0) return false;
  if (hasSpecFinalizers(next)) return false;
  return deletionGracePeriodSeconds === 0 && ((previous.metadata.finalizers ?? []).length > 0 || hasSpecFinalizers(previous));
}

/** Namespaces have finalizers of their own in `spec`. */
function hasSpecFinalizers(object: KubeObject): boolean {
  if (object.kind !== "Namespace") return false;
  const { finalizers } = (specOf(object) ?? {}) as { readonly finalizers?: readonly string[] };
  return (finalizers ?? []).length > 0;
}

function isUnchanged(next: KubeObject, previous: KubeObject): boolean {
  const { resourceVersion: _next, ...a } = next.metadata;
  const { resourceVersion: _previous, ...b } = previous.metadata;
  return isDeepStrictEqual({ ...next, metadata: a }, { ...previous, metadata: b });
}
