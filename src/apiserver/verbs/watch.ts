import type { Status } from "#machinery/api/meta-v1.ts";
import { type FieldError, forbiddenField, unsupportedField } from "#machinery/field-error.ts";
import { badRequest, expired, invalid } from "#machinery/status.ts";
import { apiVersionOf } from "#kinds/kind.ts";
import type { Revision } from "#store/contract.ts";
import type { Entry, HubEvent, WatchMessage } from "#store/watch-hub.ts";
import { encodeBody, encodeWatchFrame } from "../codec.ts";
import type { Answer, Exchange, Sink } from "../http/exchange.ts";
import { contentTypeOf, type Representation } from "../http/negotiate.ts";
import { includeObjectOf, LIST_TRANSFORMS, negotiated } from "../represent.ts";
import type { Resource } from "../resource.ts";
import { parseSelection, type Selection, selects, selectsAll } from "../selection.ts";
import type { Served } from "../served.ts";
import { columnDefinitions, partialMetadata, tableRow } from "../table.ts";
import { frameCacheOf } from "./frame-cache.ts";
import { namespaceOf } from "./get.ts";
import { awaitRevision, parseRevision } from "./read-revision.ts";

const LIST_OPTIONS = { group: "meta.k8s.io", kind: "ListOptions" };
const INITIAL_EVENTS_END = { "k8s.io/initial-events-end": "true" };
/** A watch without `timeoutSeconds` lasts half an hour to an hour, at random, so that reconnects spread. */
const MIN_TIMEOUT_MS = 1_800_000;
/** Frames gathered into one write while more messages are ready. */
const BATCH_BYTES = 64 * 1024;

interface WatchPlan {
  readonly selection: Selection;
  /** Events after this; undefined begins with the current state. */
  readonly after: Revision | undefined;
  readonly bookmarks: boolean;
  /** The end of the initial state is told by an annotated bookmark. */
  readonly announceEnd: boolean;
  readonly timeoutMs: number;
}

/** WATCH: the current state or the history from a revision, then changes as they happen, until the timeout. */
export async function watchObjects(served: Served, exchange: Exchange, resource: Resource): Promise<Answer> {
  const { info, query } = exchange;
  const representation = negotiated(exchange, LIST_TRANSFORMS.concat("PartialObjectMetadata"));
  const include = includeObjectOf(query);
  const plan = await planWatch(served, exchange, resource);
  const prefix = resource.prefixOf(namespaceOf(resource, info.namespace));
  const frame = framer(served, resource, representation, include);

  return {
    kind: "stream",
    status: 200,
    headers: { "content-type": contentTypeOf(representation, true), "cache-control": "no-cache, private" },
    run: async (sink, signal) => {
      const timeout = new AbortController();
      const limit = AbortSignal.any([signal, timeout.signal]);
      const timer = served.clock.sleep(plan.timeoutMs, limit).then(() => timeout.abort());
      try {
        await pump(resource.cache.watch(prefix, plan.after, limit), sink, plan, resource, frame);
      } finally {
        timeout.abort();
        await timer;
      }
    },
  };
}

async function planWatch(served: Served, { info, query, signal }: Exchange, resource: Resource): Promise<WatchPlan> {
  const selection = parseSelection(query, resource.kind, info.name);
  const bookmarks = truthy(query.get("allowWatchBookmarks"));
  const resourceVersion = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  const initial = query.get("sendInitialEvents");
  const sendInitialEvents = initial === null ? undefined : truthy(initial);
  checkOptions(match, sendInitialEvents, bookmarks);
  const seconds = query.get("timeoutSeconds");
  if (seconds !== null && !/^-?[0-9]{1,15}$/.test(seconds))
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(seconds)}: invalid syntax`);
  const asked = Number(seconds ?? 0);
  const timeoutMs = asked > 0 ? asked * 1000 : MIN_TIMEOUT_MS * (1 + served.entropy.fraction());

  const revision = parseRevision(resourceVersion);
  const base = { selection, bookmarks, timeoutMs };
  if (sendInitialEvents === true) {
    await awaitRevision(served, resource, resourceVersion, signal);
    return { ...base, after: undefined, announceEnd: true };
  }
  if (revision === undefined || revision === 0) {
    await awaitRevision(served, resource, resourceVersion, signal);
    return { ...base, after: sendInitialEvents === false ? resource.cache.revision() : undefined, announceEnd: false };
  }
  if (revision > resource.cache.revision()) await awaitRevision(served, resource, resourceVersion, signal);
  return { ...base, after: revision, announceEnd: false };
}

async function pump(messages: AsyncIterable<WatchMessage>, sink: Sink, plan: WatchPlan, resource: Resource, frame: Framer): Promise<void> {
  let synthetic = plan.after === undefined;
  let batch: Uint8Array[] = [];
  let size = 0;
  const flush = async () => {
    if (batch.length === 0) return;
    const chunk = batch.length === 1 && batch[0] !== undefined ? batch[0] : Buffer.concat(batch, size);
    batch = [];
    size = 0;
    await sink.write(chunk);
  };
  const push = (bytes: Uint8Array) => {
    batch.push(bytes);
    size += bytes.length;
  };
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = iterator.next();
      if (batch.length > 0 && (size >= BATCH_BYTES || !(await isReady(next)))) await flush();
      const { done, value: message } = await next;
      if (done === true || message === undefined) break;
      switch (message.type) {
        case "event": {
          const seen = transition(message.event, plan.selection, resource);
          if (seen !== undefined) push(frame.event(seen.type, seen.entry, message.event, synthetic));
          break;
        }
        case "progress":
          if (synthetic && plan.announceEnd) push(frame.bookmark(message.revision, INITIAL_EVENTS_END));
          else if (!synthetic && plan.bookmarks) push(frame.bookmark(message.revision, undefined));
          synthetic = false;
          break;
        case "expired":
          push(frame.error(expired(message.reason).status));
          break;
      }
    }
    await flush();
  } finally {
    await iterator.return?.();
  }
}

/** Whether a promise is settled already: lets frames that are ready leave in one write. */
async function isReady(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), Promise.resolve().then(() => false)]);
}

/** An event as a watcher with this selection sees it: what leaves the selection is deleted for it, what enters is added. */
function transition(
  event: HubEvent,
  selection: Selection,
  resource: Resource,
): { readonly type: HubEvent["type"]; readonly entry: Entry } | undefined {
  const { type, entry, previous } = event;
  if (selectsAll(selection)) return { type, entry };
  const before = previous !== undefined && selects(selection, resource, previous);
  if (type === "DELETED") return before ? { type, entry } : undefined;
  const after = selects(selection, resource, entry);
  if (after) return { type: before ? "MODIFIED" : "ADDED", entry };
  // Upstream's DELETED carries the last state that matched, with the resourceVersion of the change.
  return before && previous !== undefined ? { type: "DELETED", entry: entryAt(resource, previous, event.revision) } : undefined;
}

function entryAt(resource: Resource, entry: Entry, revision: Revision): Entry {
  return { ...entry, revision, bytes: resource.rebase(entry, revision) };
}

interface Framer {
  event(type: HubEvent["type"], entry: Entry, source: HubEvent, synthetic: boolean): Uint8Array;
  bookmark(revision: Revision, annotations: Readonly<Record<string, string>> | undefined): Uint8Array;
  error(status: Status): Uint8Array;
}

function framer(served: Served, resource: Resource, representation: Representation, include: ReturnType<typeof includeObjectOf>): Framer {
  const { kind } = resource;
  const apiVersion = apiVersionOf(kind);
  const { transform } = representation;
  let headersSent = false;
  const encode = (type: string, object: object) => encodeWatchFrame(type, encodeBody(object, representation), representation);

  switch (transform) {
    case "Table":
      return {
        event: (type, entry) => {
          const object = resource.parse(entry);
          return encode(type, table(object.metadata.resourceVersion, [tableRow(kind, object, include, served.clock.now())]));
        },
        bookmark: (revision, annotations) => {
          const object = { kind: kind.kind, apiVersion, metadata: { resourceVersion: String(revision), ...annotated(annotations) } };
          const row = { cells: [], object: include === "Object" ? object : partialMetadata(object) };
          return encode("BOOKMARK", table(String(revision), include === "None" && annotations === undefined ? [] : [row]));
        },
        error: (status) => encode("ERROR", status),
      };
    case "none": {
      const plain = representation.format === "json";
      const frames = frameCacheOf(resource, representation.format);
      return {
        event: (type, entry, source, synthetic) => {
          const make = () =>
            encodeWatchFrame(type, plain ? resource.bytes(entry) : encodeBody(resource.parse(entry), representation), representation);
          return synthetic || source.entry !== entry ? make() : frames(source, type, make);
        },
        bookmark: (revision, annotations) => encode("BOOKMARK", bookmark(kind.kind, apiVersion, revision, annotations)),
        error: (status) => encode("ERROR", status),
      };
    }
    case "PartialObjectMetadata":
    case "PartialObjectMetadataList":
      return {
        event: (type, entry) => encode(type, partialMetadata(resource.parse(entry))),
        bookmark: (revision, annotations) => encode("BOOKMARK", bookmark("PartialObjectMetadata", "meta.k8s.io/v1", revision, annotations)),
        error: (status) => encode("ERROR", status),
      };
  }

  function table(resourceVersion: string, rows: readonly unknown[]): object {
    const columns = headersSent ? null : columnDefinitions(kind);
    headersSent = true;
    return { kind: "Table", apiVersion: "meta.k8s.io/v1", metadata: { resourceVersion }, columnDefinitions: columns, rows };
  }
}

function bookmark(kind: string, apiVersion: string, revision: Revision, annotations: Readonly<Record<string, string>> | undefined): object {
  return { kind, apiVersion, metadata: { resourceVersion: String(revision), ...annotated(annotations) } };
}

function annotated(annotations: Readonly<Record<string, string>> | undefined): object {
  return annotations === undefined ? {} : { annotations };
}

function checkOptions(match: string, sendInitialEvents: boolean | undefined, bookmarks: boolean): void {
  const errors: FieldError[] = [];
  if (sendInitialEvents !== undefined) {
    if (match !== "NotOlderThan") {
      errors.push(forbiddenField("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
      if (match !== "" && match !== "Exact") errors.push(unsupportedField("resourceVersionMatch", match, ["NotOlderThan"]));
    }
    if (!bookmarks) errors.push(forbiddenField("allowWatchBookmarks", "sendInitialEvents requires setting allowWatchBookmarks to true"));
  } else if (match !== "") {
    errors.push(forbiddenField("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
  }
  if (errors.length > 0) throw invalid(LIST_OPTIONS, "", errors);
}

function truthy(text: string | null): boolean {
  return text !== null && text !== "" && text !== "false" && text !== "0";
}
