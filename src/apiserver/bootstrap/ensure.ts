import type { KubeObject } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";
import type { Kind } from "#kinds/kind.ts";
import { API_SERVER } from "../auth/user.ts";
import { withDefaults } from "../codec.ts";
import type { Served } from "../served.ts";
import { createEntry } from "../verbs/create.ts";
import { updateEntry, mainRules } from "../verbs/update-entry.ts";
import type { WriteContext } from "../verbs/write-context.ts";
import { apiVersionOf } from "#kinds/kind.ts";
import { decodeObject } from "#machinery/schema/decode.ts";

/** The server's own object: what a manifest would hold, without kind and apiVersion. */
export type OwnObject = Pick<KubeObject, "metadata"> & Readonly<Record<string, unknown>>;

export function ownContext(signal: AbortSignal): WriteContext {
  return { user: API_SERVER, dryRun: false, fieldManager: "kube-apiserver", warn: () => undefined, signal };
}

/** Decodes and defaults an object of ours as if a client had sent it. */
export function ownObject(kind: Kind, object: OwnObject): KubeObject {
  const type = { apiVersion: apiVersionOf(kind), kind: kind.kind, typeName: kind.typeName, defaults: kind };
  const { object: decoded } = decodeObject(kind.typeName, { kind: kind.kind, apiVersion: apiVersionOf(kind), ...object });
  return withDefaults(type, decoded);
}

/** Creates what is not there and leaves alone what is. */
export async function ensureObject(served: Served, kind: Kind, object: OwnObject, signal: AbortSignal): Promise<void> {
  const resource = await served.resources.open(kind);
  if (resource.cache.get(resource.keyOf(object.metadata.namespace, object.metadata.name ?? "")) !== undefined) return;
  try {
    await createEntry(served, resource, ownObject(kind, object), ownContext(signal));
  } catch (cause) {
    if (!hasReason(cause, "AlreadyExists")) throw cause; // another server was faster
  }
}

/** Creates what is not there and changes what is, where `change` returns something else than its input. */
export async function reconcileObject(
  served: Served,
  kind: Kind,
  object: OwnObject,
  change: (current: KubeObject, wanted: KubeObject) => KubeObject,
  signal: AbortSignal,
): Promise<void> {
  const resource = await served.resources.open(kind);
  const wanted = ownObject(kind, object);
  const { name = "", namespace = "" } = wanted.metadata;
  const current = resource.cache.get(resource.keyOf(wanted.metadata.namespace, name));
  if (current !== undefined) {
    const parsed = resource.parse(current);
    if (change(parsed, wanted) === parsed) return;
  }
  await updateEntry(
    served,
    resource,
    { namespace, name, rules: mainRules(kind), build: (found) => change(found, wanted), missing: async () => wanted },
    ownContext(signal),
  );
}
