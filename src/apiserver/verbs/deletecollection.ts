import { hasReason } from "#machinery/status.ts";
import type { Entry } from "#store/watch-hub.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { listAnswer } from "../represent.ts";
import type { Resource } from "../resource.ts";
import { parseSelection } from "../selection.ts";
import type { Served } from "../served.ts";
import { deleteContextOf, deleteEntry, readDeleteOptions } from "./delete.ts";
import { namespaceOf } from "./get.ts";
import { readPage } from "./list.ts";

/** DELETE of a collection: each selected object by itself; those that vanish meanwhile are fine. Answers with the list of them. */
export async function deleteCollection(served: Served, exchange: Exchange, resource: Resource): Promise<Answer> {
  const { info, query, signal } = exchange;
  const options = await readDeleteOptions(served, exchange);
  const context = deleteContextOf(exchange, options);
  const selection = parseSelection(query, resource.kind, info.name);
  const namespace = namespaceOf(resource, info.namespace);
  const page = await readPage(served, resource, namespace, selection, query, signal);
  const deleted: Entry[] = [];
  for (const entry of page.entries) {
    const { name, namespace: own = "" } = resource.parse(entry).metadata;
    try {
      const { entry: last } = await deleteEntry(served, resource, own, name, options, context);
      deleted.push(last);
    } catch (cause) {
      if (!hasReason(cause, "NotFound")) throw cause;
    }
  }
  return listAnswer(exchange, resource, deleted, { resourceVersion: String(resource.cache.revision()) }, served.clock.now());
}
