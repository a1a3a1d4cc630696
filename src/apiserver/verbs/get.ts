import { notFound } from "#machinery/status.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { objectAnswer } from "../represent.ts";
import type { Resource } from "../resource.ts";
import type { Served } from "../served.ts";
import { awaitRevision } from "./read-revision.ts";

/** GET of one object: the newest state, or one at least as new as `resourceVersion` asks for. */
export async function getObject(served: Served, exchange: Exchange, resource: Resource): Promise<Answer> {
  const { info, query } = exchange;
  await awaitRevision(served, resource, query.get("resourceVersion") ?? "", exchange.signal);
  const entry = resource.cache.get(resource.keyOf(namespaceOf(resource, info.namespace), info.name));
  if (entry === undefined) throw notFound(resource.name, info.name);
  return objectAnswer(exchange, resource, entry, served.clock.now());
}

/** The namespace for keys: undefined for cluster-scoped kinds. */
export function namespaceOf(resource: Resource, namespace: string): string | undefined {
  return resource.kind.scope === "Namespaced" && namespace !== "" ? namespace : undefined;
}
