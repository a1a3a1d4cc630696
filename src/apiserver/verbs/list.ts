import { CompactedError, FutureRevisionError, prefixRange, type Revision } from "#store/contract.ts";
import type { Entry } from "#store/watch-hub.ts";
import { forbiddenField } from "#machinery/field-error.ts";
import { badRequest, expired, invalid, STATUS_CODES, StatusError } from "#machinery/status.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { listAnswer } from "../represent.ts";
import type { Resource } from "../resource.ts";
import { parseSelection, type Selection, selects, selectsAll } from "../selection.ts";
import type { Served } from "../served.ts";
import { type ContinueToken, formatContinueToken, parseContinueToken } from "./continue-token.ts";
import { namespaceOf } from "./get.ts";
import { awaitRevision, parseRevision, tooLargeVersion } from "./read-revision.ts";

const LIST_OPTIONS = { group: "meta.k8s.io", kind: "ListOptions" };

export interface Page {
  readonly entries: readonly Entry[];
  readonly revision: Revision;
  /** Where the next page begins, relative to the prefix. */
  readonly next: string | undefined;
  readonly remaining: number | undefined;
}

/** LIST: from memory, or from the store where an older revision is asked for. */
export async function listObjects(served: Served, exchange: Exchange, resource: Resource): Promise<Answer> {
  const { info, query } = exchange;
  const selection = parseSelection(query, resource.kind, info.name);
  const page = await readPage(served, resource, namespaceOf(resource, info.namespace), selection, query, exchange.signal);
  const metadata = {
    resourceVersion: String(page.revision),
    ...(page.next === undefined ? {} : { continue: formatContinueToken({ revision: page.revision, start: page.next }) }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  };
  return listAnswer(exchange, resource, page.entries, metadata, served.clock.now());
}

export async function readPage(
  served: Served,
  resource: Resource,
  namespace: string | undefined,
  selection: Selection,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<Page> {
  const limit = parseLimit(query.get("limit"));
  const prefix = resource.prefixOf(namespace);
  const resourceVersion = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  const continued = query.get("continue") ?? "";
  checkOptions(resourceVersion, match, continued, query.get("sendInitialEvents"));

  if (continued !== "") return continuePage(served, resource, prefix, selection, limit, parseContinueToken(continued), signal);
  if (match === "Exact") {
    const revision = parseRevision(resourceVersion) ?? (0 as Revision);
    const entries = await readAt(served, resource, prefix, revision, () =>
      expired(`The resourceVersion for the provided list is too old.`),
    );
    return cut(resource, prefix, entries, revision, selection, limit, undefined);
  }
  await awaitRevision(served, resource, resourceVersion, signal);
  const { entries, revision } = resource.cache.list(prefix);
  return cut(resource, prefix, entries, revision, selection, limit, undefined);
}

async function continuePage(
  served: Served,
  resource: Resource,
  prefix: string,
  selection: Selection,
  limit: number,
  token: ContinueToken,
  signal: AbortSignal,
): Promise<Page> {
  if (token.revision < 0) await resource.fresh(signal);
  const current = resource.cache.revision();
  const { entries, revision } = resource.cache.list(prefix);
  if (token.revision < 0 || token.revision === current) return cut(resource, prefix, entries, revision, selection, limit, token.start);
  const asked = token.revision as Revision;
  const old = await readAt(served, resource, prefix, asked, () => continueExpired(token.start));
  return cut(resource, prefix, old, asked, selection, limit, token.start);
}

/** Selected entries from `start` on, at most `limit` of them. */
function cut(
  resource: Resource,
  prefix: string,
  all: readonly Entry[],
  revision: Revision,
  selection: Selection,
  limit: number,
  start: string | undefined,
): Page {
  const from = start === undefined ? 0 : lowerBound(all, `${prefix}${start}`);
  if (limit === 0 && from === 0 && selectsAll(selection)) return { entries: all, revision, next: undefined, remaining: undefined };
  const entries: Entry[] = [];
  for (let i = from; i < all.length; i++) {
    const entry = all[i];
    if (entry === undefined || !selects(selection, resource, entry)) continue;
    if (limit > 0 && entries.length === limit) {
      const last = entries.at(-1);
      const next = last === undefined ? "" : `${last.key.slice(prefix.length)}\0`;
      return { entries, revision, next, remaining: selectsAll(selection) ? all.length - i : undefined };
    }
    entries.push(entry);
  }
  return { entries, revision, next: undefined, remaining: undefined };
}

function lowerBound(entries: readonly Entry[], key: string): number {
  const wanted = Buffer.from(key);
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = entries[middle];
    if (entry !== undefined && Buffer.compare(Buffer.from(entry.key), wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

async function readAt(
  { store }: Served,
  resource: Resource,
  prefix: string,
  revision: Revision,
  gone: () => StatusError,
): Promise<readonly Entry[]> {
  try {
    const { kvs } = await store.range(prefixRange(prefix), { revision });
    return kvs.map(({ key, value, modRevision }) => resource.entryOf(key, value, modRevision));
  } catch (cause) {
    if (cause instanceof CompactedError) throw gone();
    if (cause instanceof FutureRevisionError) throw tooLargeVersion(revision, cause.current);
    throw cause;
  }
}

function continueExpired(start: string): StatusError {
  return new StatusError({
    reason: "Expired",
    code: STATUS_CODES.Expired,
    message:
      "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    metadata: { continue: formatContinueToken({ revision: -1, start }) },
  });
}

function parseLimit(text: string | null): number {
  if (text === null || text === "") return 0;
  if (!/^-?[0-9]{1,18}$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Math.max(0, Number(text));
}

function checkOptions(resourceVersion: string, match: string, continued: string, sendInitialEvents: string | null): void {
  if (sendInitialEvents !== null) {
    throw invalid(LIST_OPTIONS, "", [forbiddenField("sendInitialEvents", "sendInitialEvents is forbidden for list")]);
  }
  if (continued !== "" && resourceVersion !== "" && resourceVersion !== "0") {
    throw badRequest("specifying resource version is not allowed when using continue");
  }
  if (match === "") return;
  if (continued !== "") {
    throw invalid(LIST_OPTIONS, "", [
      forbiddenField("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"),
    ]);
  }
  if (resourceVersion === "") {
    throw invalid(LIST_OPTIONS, "", [
      forbiddenField("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"),
    ]);
  }
  if (match !== "Exact" && match !== "NotOlderThan") {
    throw invalid(LIST_OPTIONS, "", [
      { type: "NotSupported", field: "resourceVersionMatch", value: match, supported: ["Exact", "NotOlderThan"] },
    ]);
  }
  if (match === "Exact" && resourceVersion === "0") {
    throw invalid(LIST_OPTIONS, "", [
      forbiddenField("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'),
    ]);
  }
}
