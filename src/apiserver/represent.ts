import { badRequest } from "#machinery/status.ts";
import { apiVersionOf, type Kind } from "#kinds/kind.ts";
import type { KubeObject } from "#machinery/object.ts";
import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { Entry } from "#store/watch-hub.ts";
import { encodeBody } from "./codec.ts";
import { bytesAnswer } from "./http/answer.ts";
import type { Answer, Exchange } from "./http/exchange.ts";
import { contentTypeOf, negotiate, type Representation, type Transform, wantsPretty } from "./http/negotiate.ts";
import { objectHead, spliceList } from "./http/splice.ts";
import type { Resource } from "./resource.ts";
import { columnDefinitions, type IncludeObject, partialMetadata, tableRow } from "./table.ts";

const TABLE = { kind: "Table", apiVersion: "meta.k8s.io/v1" };
/** Rows printed between two breaths of the event loop. */
const ROWS_AT_ONCE = 500;

export function negotiated(exchange: Exchange, transforms: readonly Transform[]): Representation {
  return negotiate(exchange.headers.accept, { transforms, pretty: wantsPretty(exchange.query, exchange.headers["user-agent"]) });
}

export const OBJECT_TRANSFORMS: readonly Transform[] = ["none", "Table", "PartialObjectMetadata"];
export const LIST_TRANSFORMS: readonly Transform[] = ["none", "Table", "PartialObjectMetadataList"];

export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const include = query.get("includeObject") ?? "Metadata";
  if (include === "" || include === "Metadata") return "Metadata";
  if (include === "None" || include === "Object") return include;
  throw badRequest(`unrecognized includeObject value: ${JSON.stringify(include)}`);
}

/** An answer with one object that is in the store: its bytes as they are, unless something else was asked for. */
export function objectAnswer(exchange: Exchange, resource: Resource, entry: Entry, now: number, status = 200): Answer {
  const representation = negotiated(exchange, OBJECT_TRANSFORMS);
  if (representation.transform === "none" && representation.format === "json" && !representation.pretty) {
    return bytesAnswer(status, "application/json", resource.bytes(entry));
  }
  return valueAnswer(exchange, resource.kind, resource.parse(entry), now, status);
}

/** The same for an object that is only in memory: a dry run, a subresource, a review. */
export function valueAnswer(exchange: Exchange, kind: Kind, object: KubeObject, now: number, status = 200): Answer {
  const representation = negotiated(exchange, OBJECT_TRANSFORMS);
  switch (representation.transform) {
    case "Table":
      return encoded(representation, status, {
        ...TABLE,
        metadata: { resourceVersion: object.metadata.resourceVersion ?? "" },
        columnDefinitions: columnDefinitions(kind),
        rows: [tableRow(kind, object, includeObjectOf(exchange.query), now)],
      });
    case "PartialObjectMetadata":
    case "PartialObjectMetadataList":
      return encoded(representation, status, partialMetadata(object));
    case "none":
      return encoded(representation, status, object);
  }
}

/** Any JSON value with kind and apiVersion (a Scale, a Status, discovery), in the format asked for. */
export function plainAnswer(exchange: Exchange, value: object, status = 200): Answer {
  return encoded(negotiated(exchange, ["none"]), status, value);
}

export interface ListMetadata {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

export async function listAnswer(
  exchange: Exchange,
  resource: Resource,
  entries: readonly Entry[],
  metadata: ListMetadata,
  now: number,
): Promise<Answer> {
  const representation = negotiated(exchange, LIST_TRANSFORMS);
  const { kind } = resource;
  const apiVersion = apiVersionOf(kind);
  switch (representation.transform) {
    case "none": {
      const head = { kind: kind.listKind, apiVersion, metadata };
      const items = entries.map((entry) => resource.bytes(entry));
      const bytes = spliceList(head, items, headOf(kind));
      if (representation.format === "json" && !representation.pretty) return bytesAnswer(200, "application/json", bytes);
      return encoded(representation, 200, JSON.parse(bytes.toString()) as object);
    }
    case "Table": {
      const include = includeObjectOf(exchange.query);
      const rows = [];
      for (const [i, entry] of entries.entries()) {
        if (i % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await yieldToLoop(undefined, { signal: exchange.signal });
        rows.push(tableRow(kind, resource.parse(entry), include, now));
      }
      return encoded(representation, 200, { ...TABLE, metadata, columnDefinitions: columnDefinitions(kind), rows });
    }
    case "PartialObjectMetadata":
    case "PartialObjectMetadataList": {
      const items = entries.map((entry) => partialMetadata(resource.parse(entry)));
      return encoded(representation, 200, { kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1", metadata, items });
    }
  }
}

function encoded(representation: Representation, status: number, value: object): Answer {
  return bytesAnswer(status, contentTypeOf(representation), encodeBody(value, representation));
}

function headOf(kind: Kind): Uint8Array {
  let head = heads.get(kind);
  if (head === undefined) {
    head = objectHead(kind.kind, apiVersionOf(kind));
    heads.set(kind, head);
  }
  return head;
}

const heads = new WeakMap<Kind, Uint8Array>();
