import type { KubeObject } from "#machinery/object.ts";
import { unsupportedField } from "#machinery/field-error.ts";
import { badRequest, invalid } from "#machinery/status.ts";
import type { Kind } from "#kinds/kind.ts";
import type { Exchange } from "../http/exchange.ts";
import type { Resource } from "../resource.ts";
import type { Served } from "../served.ts";
import type { StorageHooks } from "../storage-hooks.ts";
import type { WriteContext } from "./write-context.ts";

export type OptionsKind = "CreateOptions" | "UpdateOptions" | "PatchOptions" | "DeleteOptions";

/** Reads `dryRun` and `fieldManager`; throws 422 where they are wrong. */
export function writeContextOf(exchange: Exchange, optionsKind: OptionsKind): WriteContext {
  const { query, user, warnings, signal, headers } = exchange;
  const manager = query.get("fieldManager") ?? "";
  if (manager.length > 128) {
    throw invalid({ group: "meta.k8s.io", kind: optionsKind }, "", [{ type: "TooLong", field: "fieldManager", max: 128 }]);
  }
  return {
    user,
    dryRun: dryRunOf(query.getAll("dryRun"), optionsKind),
    fieldManager: manager === "" ? managerFromUserAgent(headers["user-agent"]) : manager,
    warn: (text) => warnings.add(text),
    signal,
  };
}

export function dryRunOf(values: readonly string[], optionsKind: OptionsKind): boolean {
  const asked = values.filter((value) => value !== "");
  if (asked.some((value) => value !== "All")) {
    throw invalid({ group: "meta.k8s.io", kind: optionsKind }, "", [unsupportedField("dryRun", asked, ["All"])]);
  }
  return asked.length > 0;
}

/** The part of the user agent before the first slash, as upstream names managers that did not name themselves. */
export function managerFromUserAgent(userAgent: string | undefined): string {
  return (userAgent ?? "").split("/", 1)[0]?.slice(0, 128) || "unknown";
}

/** The object with the namespace of the path; throws 400 where the two disagree. */
export function checkNamespace(resource: Resource, namespace: string, object: KubeObject): KubeObject {
  const own = object.metadata.namespace ?? "";
  if (resource.kind.scope === "Cluster") {
    if (own === "") return object;
    if (namespace !== "" && resource.kind.kind === "Namespace") return object;
    throw badRequest("namespace is not allowed on this type");
  }
  if (own !== "" && own !== namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  return own === namespace ? object : { ...object, metadata: { ...object.metadata, namespace } };
}

export function hooksOf(served: Served, kind: Kind): StorageHooks | undefined {
  return served.hooks.get(`${kind.group}/${kind.kind}`);
}
