import { createHash } from "node:crypto";
import { setImmediate as yieldToLoop } from "node:timers/promises";
import type { Kind } from "#kinds/kind.ts";
import { pathNotFound } from "#machinery/status.ts";
import { bytesAnswer } from "../http/answer.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import { parseAccept } from "../http/negotiate.ts";
import { KUBERNETES_VERSION } from "../version.ts";
import { type Descriptions, readDescriptions } from "./descriptions.ts";
import { openApiV2, openApiV3 } from "./document.ts";
import { encodeOpenApiV2 } from "./v2-protobuf.ts";

interface Document {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

const V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/** /openapi/v2 and /openapi/v3, made at first use and kept. */
export function createOpenApi(kinds: readonly Kind[]): (exchange: Exchange) => Promise<Answer> {
  let descriptions: Promise<Descriptions> | undefined;
  let v3: Promise<ReadonlyMap<string, Document>> | undefined;
  let v2: Promise<{ readonly json: Document; readonly protobuf: Document }> | undefined;

  return async (exchange) => {
    const parts = exchange.path.split("/").filter((part) => part !== "");
    if (parts[1] === "v2" && parts.length === 2) return serveV2(exchange);
    if (parts[1] !== "v3") throw pathNotFound();
    v3 ??= buildV3();
    const documents = await v3;
    if (parts.length === 2) return serveIndex(exchange, documents);
    const document = documents.get(parts.slice(2).join("/"));
    if (document === undefined) throw pathNotFound();
    const immutable = exchange.query.get("hash") === document.hash;
    return withEtag(exchange, document, "application/json", immutable ? { "cache-control": "public, immutable", expires: FAR } : {});
  };

  function serveIndex(exchange: Exchange, documents: ReadonlyMap<string, Document>): Answer {
    const paths = Object.fromEntries(
      [...documents].map(([path, { hash }]) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }]),
    );
    return withEtag(exchange, documentOf(Buffer.from(`${JSON.stringify({ paths })}\n`)), "application/json");
  }

  async function serveV2(exchange: Exchange): Promise<Answer> {
    v2 ??= buildV2();
    const { json, protobuf } = await v2;
    const wanted = parseAccept(exchange.headers.accept).find(({ type }) =>
      /proto-openapi\.spec\.v2[.@]v1\.0\+protobuf$|^application\/json$|\*\/\*$/.test(type),
    );
    return wanted?.type.endsWith("+protobuf") === true
      ? withEtag(exchange, protobuf, V2_PROTOBUF, { vary: "Accept" })
      : withEtag(exchange, json, "application/json", { vary: "Accept" });
  }

  async function buildV3(): Promise<ReadonlyMap<string, Document>> {
    const texts = await (descriptions ??= readDescriptions());
    const versions = new Map<string, Kind[]>();
    for (const kind of kinds) {
      const path = kind.group === "" ? `api/${kind.version}` : `apis/${kind.group}/${kind.version}`;
      versions.set(path, [...(versions.get(path) ?? []), kind]);
    }
    const documents = new Map<string, Document>();
    for (const [path, own] of versions) {
      documents.set(path, documentOf(Buffer.from(JSON.stringify(openApiV3(own, KUBERNETES_VERSION, texts)))));
      await yieldToLoop();
    }
    return documents;
  }

  async function buildV2(): Promise<{ readonly json: Document; readonly protobuf: Document }> {
    const texts = await (descriptions ??= readDescriptions());
    const document = openApiV2(kinds, KUBERNETES_VERSION, texts);
    await yieldToLoop();
    const json = documentOf(Buffer.from(JSON.stringify(document)));
    await yieldToLoop();
    return { json, protobuf: documentOf(encodeOpenApiV2(document)) };
  }
}

const FAR = "Thu, 31 Dec 2099 23:59:59 GMT";

function documentOf(bytes: Uint8Array): Document {
  return { bytes, hash: createHash("sha512").update(bytes).digest("hex").toUpperCase() };
}

function withEtag(
  exchange: Exchange,
  { bytes, hash }: Document,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const etag = `"${hash}"`;
  if (exchange.headers["if-none-match"] === etag) return bytesAnswer(304, contentType, new Uint8Array(0), { etag, ...headers });
  return bytesAnswer(200, contentType, bytes, { etag, ...headers });
}
