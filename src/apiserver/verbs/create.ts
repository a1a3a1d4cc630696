import type { Status } from "#machinery/api/meta-v1.ts";
import { formatTime } from "#base/clock.ts";
import type { KubeObject } from "#machinery/object.ts";
import { alreadyExists, badRequest, invalid, StatusError } from "#machinery/status.ts";
import { requiredField } from "#machinery/field-error.ts";
import type { Kind } from "#kinds/kind.ts";
import type { Entry } from "#store/watch-hub.ts";
import type { AdmissionRequest } from "../admission/admission.ts";
import { readObject } from "../http/body.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { createdFields } from "../managed-fields.ts";
import { objectAnswer } from "../represent.ts";
import type { Resource } from "../resource.ts";
import type { Served } from "../served.ts";
import type { Taken } from "../storage-hooks.ts";
import { validateNew } from "../validation.ts";
import { commitPut, dryEntry } from "./commit.ts";
import { namespaceOf } from "./get.ts";
import { checkNamespace, hooksOf, writeContextOf } from "./write-options.ts";
import type { WriteContext } from "./write-context.ts";

/** How often a generated name that is taken is generated anew, as upstream. */
const NAME_ATTEMPTS = 8;

/** POST: 201 and the object as stored. */
export async function createObject(served: Served, exchange: Exchange, resource: Resource): Promise<Answer> {
  const { info } = exchange;
  const context = writeContextOf(exchange, "CreateOptions");
  const object = await readObject(served, exchange, resource.kind);
  const entry = await createEntry(served, resource, checkNamespace(resource, info.namespace, object), context);
  return objectAnswer(exchange, resource, entry, served.clock.now(), 201);
}

/** Everything that happens to a decoded, defaulted object before and while it is stored. Throws StatusError. */
export async function createEntry(
  served: Served,
  resource: Resource,
  decoded: KubeObject,
  context: WriteContext,
  trackedAlready = false,
): Promise<Entry> {
  const { kind } = resource;
  const generate = (decoded.metadata.name ?? "") === "" && (decoded.metadata.generateName ?? "") !== "";
  for (let attempt = 1; ; attempt++) {
    const object = generate ? withName(decoded, generatedName(served, decoded.metadata.generateName ?? "")) : decoded;
    const entry = await createOnce(served, resource, object, context, trackedAlready);
    if (entry !== undefined) return entry;
    if (!generate) throw alreadyExists(resource.name, object.metadata.name ?? "");
    if (attempt === NAME_ATTEMPTS) throw generateNameConflict(kind, object.metadata.name ?? "");
  }
}

/** Undefined when the name is taken. */
async function createOnce(
  served: Served,
  resource: Resource,
  named: KubeObject,
  context: WriteContext,
  trackedAlready: boolean,
): Promise<Entry | undefined> {
  const { kind } = resource;
  const { strategy } = kind;
  const name = named.metadata.name ?? "";
  const namespace = named.metadata.namespace ?? "";
  if (name === "") {
    throw invalid(kind, "", [requiredField("metadata.name", "name or generateName is required")]);
  }
  const request = (object: KubeObject): AdmissionRequest & { readonly object: KubeObject } => ({
    operation: "CREATE",
    kind,
    subresource: "",
    namespace,
    name,
    object,
    previous: undefined,
    user: context.user,
    dryRun: context.dryRun,
    warn: context.warn,
    signal: context.signal,
  });
  const now = served.clock.now();
  const tracked = trackedAlready ? named : createdFields(kind, named, { manager: context.fieldManager, now });
  const admitted = await served.admission.admit(request(tracked));
  const { resourceVersion, deletionTimestamp: _at, deletionGracePeriodSeconds: _grace, selfLink: _link, ...metadata } = admitted.metadata;
  if (resourceVersion !== undefined && resourceVersion !== "" && resourceVersion !== "0") {
    throw badRequest("resourceVersion should not be set on objects to be created");
  }
  const system: KubeObject = {
    ...admitted,
    metadata: { ...metadata, uid: served.entropy.uid(), creationTimestamp: formatTime(now), ...generationOf(kind) },
  };
  const prepared = strategy.prepareForCreate?.(system) ?? system;
  const taken = await (hooksOf(served, kind)?.create?.(prepared, context.dryRun) ?? nothingTaken(prepared));
  try {
    validateNew(kind, taken.object);
    for (const text of strategy.warnings?.(taken.object, undefined) ?? []) context.warn(text);
    await served.admission.validate(request(taken.object));
    const key = resource.keyOf(namespaceOf(resource, namespace), name);
    if (context.dryRun) {
      await resource.fresh(context.signal);
      taken.undo();
      return resource.cache.get(key) === undefined ? dryEntry(resource, key, taken.object, undefined) : undefined;
    }
    const entry = await commitPut(served, resource, key, taken.object, "absent", context.signal);
    if (entry === undefined) taken.undo();
    else taken.done();
    return entry;
  } catch (cause) {
    taken.undo();
    throw cause;
  }
}

export function nothingTaken<T>(object: T): Taken<T> {
  return { object, undo: () => undefined, done: () => undefined };
}

function generationOf(kind: Kind): { readonly generation?: number } {
  return kind.strategy.generation === "none" || kind.strategy.generation === undefined ? {} : { generation: 1 };
}

/** Names are cut so that base and suffix fit into 63 characters. */
function generatedName(served: Served, base: string): string {
  return `${base.slice(0, 63 - 5)}${served.entropy.nameSuffix()}`;
}

function withName(object: KubeObject, name: string): KubeObject {
  return { ...object, metadata: { ...object.metadata, name } };
}

function generateNameConflict(kind: Kind, name: string): StatusError {
  const status = alreadyExists({ group: kind.group, plural: kind.plural }, name).status;
  const details: Status["details"] = { ...status.details, retryAfterSeconds: 1 };
  return new StatusError({
    code: status.code,
    reason: status.reason,
    message: `${status.message ?? ""}, the server was not able to generate a unique name for the object`,
    details,
  });
}
