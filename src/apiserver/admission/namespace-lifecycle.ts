import type { Namespace } from "#machinery/api/core-v1.ts";
import { NamespaceKind } from "#kinds/core/namespace.ts";
import { forbidden, notFound, StatusError } from "#machinery/status.ts";
import type { Resources } from "../resource.ts";
import type { AdmissionPlugin } from "./admission.ts";

/** Namespaces that cannot be deleted. */
const IMMORTAL = new Set(["default", "kube-system", "kube-public"]);
/** What may be created while a namespace goes away: others would wait for an answer that never comes. */
const REVIEWS = new Set(["LocalSubjectAccessReview"]);

/** Objects live in namespaces that exist and are not on their way out. */
export function namespaceLifecycle({ resources }: { readonly resources: Resources }): AdmissionPlugin {
  return {
    name: "NamespaceLifecycle",
    async admit({ operation, kind, namespace, name, object, subresource, signal }) {
      if (operation !== "CREATE" || kind.scope !== "Namespaced" || subresource !== "" || REVIEWS.has(kind.kind)) return object;
      const found = await namespaceNamed(resources, namespace, signal);
      if (found === undefined) throw notFound({ group: "", plural: "namespaces" }, namespace);
      if (found.metadata.deletionTimestamp !== undefined || found.status?.phase === "Terminating") {
        throw terminating(kind, name, namespace);
      }
      return object;
    },
    validate({ operation, kind, name }) {
      if (operation === "DELETE" && kind.kind === "Namespace" && IMMORTAL.has(name)) {
        return Promise.reject(forbidden({ group: "", plural: "namespaces" }, name, "this namespace may not be deleted"));
      }
      return Promise.resolve();
    },
  };
}

/** From the cache; asked again after catching up where it is not there, because it may have been made a moment ago. */
async function namespaceNamed(resources: Resources, name: string, signal: AbortSignal): Promise<Namespace | undefined> {
  const resource = await resources.open(NamespaceKind);
  const key = resource.keyOf(undefined, name);
  let entry = resource.cache.get(key);
  if (entry === undefined) {
    await resource.fresh(signal);
    entry = resource.cache.get(key);
  }
  return entry === undefined ? undefined : resource.parse(entry);
}

function terminating(kind: { readonly group: string; readonly plural: string }, name: string, namespace: string): StatusError {
  const error = forbidden(kind, name, `unable to create new content in namespace ${namespace} because it is being terminated`);
  const { code, reason, message = "", details } = error.status;
  const cause = { reason: "NamespaceTerminating", message: `namespace ${namespace} is being terminated`, field: "metadata.namespace" };
  return new StatusError({ code, reason, message, details: { ...details, causes: [cause] } });
}
