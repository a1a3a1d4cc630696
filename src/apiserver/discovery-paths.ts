import { pathNotFound } from "#machinery/status.ts";
import type { Discovery } from "./discovery.ts";
import { bytesAnswer, jsonBytes } from "./http/answer.ts";
import type { Answer, Exchange } from "./http/exchange.ts";
import { parseAccept } from "./http/negotiate.ts";
import { plainAnswer } from "./represent.ts";
import { createHash } from "node:crypto";

/** /api and /apis: aggregated for clients that can read that, else the old documents. */
export async function discoveryPath(discovery: Discovery, exchange: Exchange): Promise<Answer> {
  const parts = exchange.path.split("/").filter((part) => part !== "");
  const [root, group, version] = parts;
  if (root === "api") {
    if (parts.length === 1) return aggregated(discovery, exchange, true) ?? plainAnswer(exchange, discovery.coreVersions);
    return plainAnswer(exchange, required(parts.length === 2 ? discovery.resources("", group ?? "") : undefined));
  }
  if (parts.length === 1) return aggregated(discovery, exchange, false) ?? plainAnswer(exchange, discovery.groups);
  if (parts.length === 2) return plainAnswer(exchange, required(discovery.group(group ?? "")));
  return plainAnswer(exchange, required(parts.length === 3 ? discovery.resources(group ?? "", version ?? "") : undefined));
}

function aggregated(discovery: Discovery, exchange: Exchange, core: boolean): Answer | undefined {
  for (const { type, params } of parseAccept(exchange.headers.accept)) {
    const { g, v, as } = params;
    if (as === undefined && (type === "application/json" || type === "*/*")) return undefined;
    if (type !== "application/json" || g !== "apidiscovery.k8s.io" || as !== "APIGroupDiscoveryList") continue;
    if (v !== "v2" && v !== "v2beta1") continue;
    const body = jsonBytes(discovery.aggregated(v, core));
    const etag = `"${createHash("sha512").update(body).digest("hex").toUpperCase()}"`;
    // Clients compare this text: group, version, as, in this order.
    const contentType = `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`;
    const headers = { etag, vary: "Accept" };
    if (exchange.headers["if-none-match"] === etag) return bytesAnswer(304, contentType, new Uint8Array(0), headers);
    return bytesAnswer(200, contentType, body, headers);
  }
  return undefined;
}

function required<T extends object>(document: T | undefined): T {
  if (document === undefined) throw pathNotFound();
  return document;
}
