import type { DeleteOptions, Preconditions } from "#machinery/api/meta-v1.ts";
import { formatTime } from "#base/clock.ts";
import type { KubeObject, Stored } from "#machinery/object.ts";
import { forbiddenField, invalidField, unsupportedField } from "#machinery/field-error.ts";
import { conflict, invalid, notFound } from "#machinery/status.ts";
import type { Kind } from "#kinds/kind.ts";
import type { Entry } from "#store/watch-hub.ts";
import { successStatus } from "../http/answer.ts";
import { readTyped } from "../http/body.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { objectAnswer, plainAnswer } from "../represent.ts";
import type { Resource } from "../resource.ts";
import type { Served } from "../served.ts";
import { commitDelete, commitPut, dryEntry, MAX_ATTEMPTS, tooManyConflicts } from "./commit.ts";
import { namespaceOf } from "./get.ts";
import { dryRunOf, hooksOf, writeContextOf } from "./write-options.ts";
import type { WriteContext } from "./write-context.ts";

const DELETE_OPTIONS = {
  apiVersion: "v1",
  kind: "DeleteOptions",
  typeName: "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
  anyVersion: true,
} as const;
const ORPHAN = "orphan";
const FOREGROUND = "foregroundDeletion";

/** Kinds whose DELETE answers with the object even when it is gone at once; the others answer with a Status. */
const RETURNS_OBJECT = new Set([
  "Pod", "PodTemplate", "PersistentVolume", "PersistentVolumeClaim", "ResourceQuota", "Service", "ServiceAccount", "CSIDriver", "CSINode",
  "StorageClass", "VolumeAttachment", "VolumeAttributesClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice", "DeviceClass",
]); // biome-ignore format: one glance

export interface Deleted {
  readonly entry: Entry;
  /** Whether it is gone; otherwise it waits for its grace period or its finalizers. */
  readonly gone: boolean;
}

/** DELETE of one object. */
export async function deleteObject(served: Served, exchange: Exchange, resource: Resource): Promise<Answer> {
  const { info } = exchange;
  const options = await readDeleteOptions(served, exchange);
  const context = deleteContextOf(exchange, options);
  const { entry, gone } = await deleteEntry(served, resource, info.namespace, info.name, options, context);
  const status = !gone && (options.orphanDependents === false || options.propagationPolicy === "Foreground") ? 202 : 200;
  if (!gone || RETURNS_OBJECT.has(resource.kind.kind)) return objectAnswer(exchange, resource, entry, served.clock.now(), status);
  const { uid } = resource.parse(entry).metadata;
  return plainAnswer(exchange, successStatus({ name: info.name, group: resource.kind.group, kind: resource.kind.plural, uid }), status);
}

export function deleteContextOf(exchange: Exchange, options: DeleteOptions): WriteContext {
  const context = writeContextOf(exchange, "DeleteOptions");
  return { ...context, dryRun: context.dryRun || dryRunOf(options.dryRun ?? [], "DeleteOptions") };
}

/** From the body, or from the query where there is no body. */
export async function readDeleteOptions(served: Served, exchange: Exchange): Promise<DeleteOptions> {
  const body = await exchange.body();
  const options =
    body.length > 0 ? ((await readTyped(served, exchange, DELETE_OPTIONS)) as unknown as DeleteOptions) : optionsFromQuery(exchange.query);
  const { propagationPolicy, orphanDependents, gracePeriodSeconds } = options;
  const errors = [];
  if (orphanDependents !== undefined && propagationPolicy !== undefined) {
    errors.push(invalidField("propagationPolicy", propagationPolicy, "orphanDependents and deletionPropagation cannot be both set"));
  }
  if (propagationPolicy !== undefined && !["Background", "Foreground", "Orphan"].includes(propagationPolicy)) {
    errors.push(unsupportedField("propagationPolicy", propagationPolicy, ["Background", "Foreground", "Orphan"]));
  }
  if (gracePeriodSeconds !== undefined && !Number.isSafeInteger(gracePeriodSeconds)) {
    errors.push(forbiddenField("gracePeriodSeconds", "must be an integer"));
  }
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", errors);
  return options;
}

function optionsFromQuery(query: URLSearchParams): DeleteOptions {
  const grace = query.get("gracePeriodSeconds");
  const policy = query.get("propagationPolicy");
  const orphan = query.get("orphanDependents");
  return {
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
    ...(orphan === null ? {} : { orphanDependents: orphan !== "false" && orphan !== "0" }),
  };
}

/** What deleting an object comes to. */
type Plan =
  | { readonly do: "remove" }
  /** Marked; somebody else finishes. */
  | { readonly do: "mark"; readonly object: KubeObject }
  /** It is marked already and nothing changes. */
  | { readonly do: "nothing" };

export async function deleteEntry(
  served: Served,
  resource: Resource,
  namespace: string,
  name: string,
  options: DeleteOptions,
  context: WriteContext,
): Promise<Deleted> {
  const { kind } = resource;
  const key = resource.keyOf(namespaceOf(resource, namespace), name);
  await resource.fresh(context.signal);
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const current = resource.cache.get(key);
    if (current === undefined) throw notFound(resource.name, name);
    const previous = resource.parse(current);
    checkPreconditions(resource, options.preconditions, previous, name);
    await served.admission.validate({
      operation: "DELETE",
      kind,
      subresource: "",
      namespace,
      name,
      object: undefined,
      previous,
      user: context.user,
      dryRun: context.dryRun,
      warn: context.warn,
      signal: context.signal,
    });
    const plan = planDelete(kind, previous, options, served.clock.now());
    if (plan.do === "nothing") return { entry: current, gone: false };
    if (plan.do === "mark") {
      if (context.dryRun) return { entry: dryEntry(resource, key, plan.object, current), gone: false };
      const entry = await commitPut(served, resource, key, plan.object, current.revision, context.signal);
      if (entry !== undefined) return { entry, gone: false };
    } else {
      if (context.dryRun) return { entry: current, gone: true };
      const entry = await commitDelete(served, resource, current, current.revision, context.signal);
      if (entry !== undefined) {
        hooksOf(served, kind)?.deleted?.(previous);
        return { entry, gone: true };
      }
    }
  }
  throw tooManyConflicts(resource, name);
}

/** Pure: what a delete request makes of an object in this state. */
export function planDelete(kind: Kind, previous: Stored<KubeObject>, options: DeleteOptions, now: number): Plan {
  const { metadata } = previous;
  const finalizers = finalizersAfter(metadata.finalizers ?? [], options);
  const held = finalizers.length > 0 || namespaceHeld(previous);
  const asked =
    options.gracePeriodSeconds === undefined ? undefined : Math.max(options.gracePeriodSeconds, options.gracePeriodSeconds < 0 ? 1 : 0);
  const grace = kind.strategy.gracePeriod?.(previous, asked) ?? 0;

  if (metadata.deletionTimestamp !== undefined) {
    const left = metadata.deletionGracePeriodSeconds ?? 0;
    const sameFinalizers = finalizers.length === (metadata.finalizers ?? []).length;
    if (left === 0) {
      if (!held) return { do: "remove" };
      return sameFinalizers ? { do: "nothing" } : { do: "mark", object: withFinalizers(previous, finalizers) };
    }
    const shorter = kind.strategy.gracePeriod !== undefined && (asked === undefined ? false : grace < left);
    if (!shorter) return sameFinalizers ? { do: "nothing" } : { do: "mark", object: withFinalizers(previous, finalizers) };
    if (grace === 0 && !held) return { do: "remove" };
    const begun = Date.parse(metadata.deletionTimestamp) - left * 1000;
    return { do: "mark", object: marked(previous, finalizers, begun + grace * 1000, grace) };
  }
  if (grace === 0 && !held) return { do: "remove" };
  return { do: "mark", object: marked(previous, finalizers, now + grace * 1000, grace) };
}

function marked(object: Stored<KubeObject>, finalizers: readonly string[], at: number, grace: number): KubeObject {
  const { generation, deletionTimestamp } = object.metadata;
  const next = withFinalizers(object, finalizers);
  const metadata: KubeObject["metadata"] = {
    ...next.metadata,
    ...(generation === undefined || generation === 0 || deletionTimestamp !== undefined ? {} : { generation: generation + 1 }),
    deletionTimestamp: formatTime(at),
  };
  if (object.kind !== "Namespace") return { ...next, metadata: { ...metadata, deletionGracePeriodSeconds: grace } };
  return { ...next, metadata, status: { ...(next as { readonly status?: object }).status, phase: "Terminating" } } as KubeObject;
}

function withFinalizers(object: KubeObject, finalizers: readonly string[]): KubeObject {
  const { finalizers: _, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, ...(finalizers.length === 0 ? {} : { finalizers }) } };
}

function finalizersAfter(finalizers: readonly string[], { orphanDependents, propagationPolicy }: DeleteOptions): readonly string[] {
  const wanted =
    propagationPolicy === "Orphan" || orphanDependents === true
      ? ORPHAN
      : propagationPolicy === "Foreground"
        ? FOREGROUND
        : propagationPolicy === "Background" || orphanDependents === false
          ? "none"
          : "kept";
  if (wanted === "kept") return finalizers;
  const others = finalizers.filter((finalizer) => finalizer !== ORPHAN && finalizer !== FOREGROUND);
  return wanted === "none" ? others : [...others, wanted];
}

/** A namespace goes when its own finalizers, kept in `spec`, have gone. */
function namespaceHeld(object: KubeObject): boolean {
  if (object.kind !== "Namespace") return false;
  const { spec } = object as KubeObject & { readonly spec?: { readonly finalizers?: readonly string[] } };
  return (spec?.finalizers ?? []).length > 0;
}

function checkPreconditions(resource: Resource, wanted: Preconditions | undefined, object: Stored<KubeObject>, name: string): void {
  const { uid, resourceVersion } = object.metadata;
  if (wanted?.uid !== undefined && wanted.uid !== uid) {
    throw conflict(resource.name, name, `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`);
  }
  if (wanted?.resourceVersion !== undefined && wanted.resourceVersion !== resourceVersion) {
    throw conflict(
      resource.name,
      name,
      `Precondition failed: ResourceVersion in precondition: ${wanted.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
    );
  }
}
