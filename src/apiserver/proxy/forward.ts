import { type IncomingMessage, type OutgoingHttpHeaders, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { badRequest, internalError, serviceUnavailable, StatusError } from "#machinery/status.ts";
import { describeDialError } from "#streaming/dial-error.ts";
import { proxyUpgrade } from "#streaming/proxy-upgrade.ts";
import type { Clock } from "#base/clock.ts";
import type { Answer, Exchange } from "../http/exchange.ts";
import type { ProxyTarget } from "./target.ts";

/** Headers of one hop, and of the client's own identity. */
const NOT_FORWARDED =
  /^(:.*|connection|keep-alive|transfer-encoding|upgrade|te|trailer|proxy-.*|host|authorization|content-length|impersonate-.*|x-remote-.*|accept-encoding|http2-settings)$/;
const NOT_RETURNED = /^(connection|keep-alive|transfer-encoding|upgrade|content-length|trailer|proxy-.*)$/;
const DIAL_TIMEOUT_MS = 30_000;

export interface Forwarded {
  /** Path and query at the target. */
  readonly path: string;
  /** Turns an answer that is no success into a Status, as upstream does for logs; otherwise it is passed on as it is. */
  readonly checked?: boolean;
}

/** Sends a request on and streams the answer back. */
export async function forwardRequest(
  exchange: Exchange,
  { base, tls }: ProxyTarget,
  { path, checked = false }: Forwarded,
): Promise<Answer> {
  const body = exchange.method === "GET" || exchange.method === "HEAD" ? undefined : await exchange.body();
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(exchange.headers)) if (!NOT_FORWARDED.test(name) && value !== undefined) headers[name] = value;
  headers["x-forwarded-for"] = exchange.remoteAddress;
  if (body !== undefined) headers["content-length"] = body.length;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const send = base.protocol === "https:" ? httpsRequest : httpRequest;
    const request = send(new URL(path, base), { method: exchange.method, headers, ...tls, signal: exchange.signal });
    const timer = setTimeout(() => request.destroy(new Error("i/o timeout")), DIAL_TIMEOUT_MS);
    request.on("response", (answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    request.on("error", (cause) => {
      clearTimeout(timer);
      reject(serviceOrInternal(checked, cause));
    });
    request.end(body);
  });
  const status = response.statusCode ?? 502;
  if (checked && (status < 200 || status > 206)) throw await statusOf(response, status);
  const answerHeaders: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(response.headers))
    if (!NOT_RETURNED.test(name) && value !== undefined) answerHeaders[name] = value;
  return {
    kind: "stream",
    status,
    headers: answerHeaders,
    run: async (sink, signal) => {
      signal.addEventListener("abort", () => response.destroy(), { once: true });
      for await (const chunk of response as AsyncIterable<Buffer>) await sink.write(chunk);
    },
  };
}

function serviceOrInternal(checked: boolean, cause: unknown): StatusError {
  const why = describeDialError(cause);
  return checked ? internalError(new Error(why)) : serviceUnavailable(`error trying to reach service: ${why}`);
}

const MAX_ERROR_BYTES = 2048;

async function statusOf(response: IncomingMessage, status: number): Promise<StatusError> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_ERROR_BYTES) break;
  }
  response.destroy();
  const text = Buffer.concat(chunks).subarray(0, MAX_ERROR_BYTES).toString();
  if (status === 400) return badRequest(text);
  if (status === 500) return internalError(new Error(text));
  return new StatusError({
    reason: status === 404 ? "NotFound" : status === 403 ? "Forbidden" : "",
    code: status,
    message: status === 404 ? "the server could not find the requested resource" : text,
    details: { causes: [{ reason: "UnexpectedServerResponse", message: text }] },
  });
}

/** Hands an upgrade over to the target; the connection is the target's from then on. */
export async function forwardUpgrade(exchange: Exchange, { base, tls }: ProxyTarget, path: string, clock: Clock): Promise<Answer> {
  const { upgrade, signal } = exchange;
  if (upgrade === undefined) throw badRequest("Upgrade request required");
  await proxyUpgrade(upgrade, { url: new URL(path, base), ...(tls === undefined ? {} : { tls }), clock, signal });
  return { kind: "hijacked" };
}
