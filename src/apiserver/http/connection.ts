import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { ANONYMOUS } from "../auth/user.ts";
import type { Answer, Exchange, Sink, Upgrade } from "./exchange.ts";
import { bodyTooLarge, MAX_BODY_BYTES } from "./limits.ts";
import { parseRequestInfo } from "./request-info.ts";

export type AnyRequest = IncomingMessage | Http2ServerRequest;
export type AnyResponse = ServerResponse | Http2ServerResponse;

const compress = promisify(gzip);
/** Smaller answers are sent as they are, as upstream. */
const GZIP_FROM_BYTES = 128 * 1024;
const GZIP_LEVEL = 1;
const EMPTY = new Uint8Array(0);

/** One request of a connection as an exchange. */
export function exchangeOf(request: AnyRequest, signal: AbortSignal, upgrade?: Upgrade): Exchange {
  const target = request.url ?? "/";
  const question = target.indexOf("?");
  const path = question < 0 ? target : target.slice(0, question);
  const query = new URLSearchParams(question < 0 ? "" : target.slice(question + 1));
  const method = request.method ?? "GET";
  let body: Promise<Uint8Array> | undefined;
  // Of HTTP/2 the session's, which is the same object for all its requests.
  const socket = ("stream" in request ? request.stream.session?.socket : undefined) ?? request.socket;
  return {
    method,
    path,
    query,
    headers: request.headers,
    body: () => {
      body ??= readBody(request);
      return body;
    },
    signal,
    socket: socket instanceof TLSSocket || "getPeerCertificate" in socket ? (socket as TLSSocket) : undefined,
    inProcess: undefined,
    upgrade,
    remoteAddress: socket.remoteAddress ?? "",
    user: ANONYMOUS,
    info: parseRequestInfo(method, path, query),
    warnings: new Set(),
    answerHeaders: {},
  };
}

async function readBody(request: AnyRequest): Promise<Uint8Array> {
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > MAX_BODY_BYTES) throw bodyTooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw bodyTooLarge();
    chunks.push(chunk);
  }
  if (chunks.length === 0) return EMPTY;
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, size);
}

/** Headers of an answer, with those that stages added and the warnings. */
export function headersOf(exchange: Exchange, answer: Exclude<Answer, { readonly kind: "hijacked" }>): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { ...exchange.answerHeaders };
  for (const [name, value] of Object.entries(answer.headers)) headers[name] = typeof value === "string" ? value : [...value];
  if (exchange.warnings.size > 0) headers["warning"] = [...exchange.warnings].map(warningHeader);
  return headers;
}

/** `299 - "text"`, with what a quoted string may not hold escaped or left out. */
function warningHeader(text: string): string {
  const clean = Array.from(text, (char) => (char < " " || char === "\x7f" ? " " : char)).join("");
  return `299 - "${Buffer.from(clean.replaceAll(/["\\]/g, "\\$&")).toString("latin1")}"`;
}

export async function sendAnswer(exchange: Exchange, request: AnyRequest, response: AnyResponse, answer: Answer): Promise<void> {
  if (answer.kind === "hijacked") return;
  const headers = headersOf(exchange, answer);
  if (answer.kind === "bytes") {
    let { body } = answer;
    if (body.length >= GZIP_FROM_BYTES && acceptsGzip(request.headers["accept-encoding"])) {
      body = await compress(body, { level: GZIP_LEVEL });
      headers["content-encoding"] = "gzip";
      headers["vary"] = "Accept-Encoding";
    }
    if (response.destroyed || response.writableEnded) return;
    headers["content-length"] = String(body.length);
    writeHead(response, answer.status, headers);
    if (request.method === "HEAD") response.end();
    else response.end(body);
    return;
  }
  if (response.destroyed || response.writableEnded) return;
  writeHead(response, answer.status, headers);
  if ("flushHeaders" in response) response.flushHeaders();
  await answer.run(sinkOf(response), exchange.signal);
  response.end();
}

function writeHead(response: AnyResponse, status: number, headers: Record<string, string | string[]>): void {
  (response as ServerResponse).writeHead(status, headers);
}

function acceptsGzip(header: string | string[] | undefined): boolean {
  return typeof header === "string" && /(^|,)\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*(,|$))[0-9.]+\s*)?(,|$)/.test(header);
}

/** The client has closed the connection or the stream. */
export class ClientGoneError extends Error {
  override readonly name = "ClientGoneError";
}

function sinkOf(response: AnyResponse): Sink {
  const stream: NodeJS.WritableStream = response;
  return {
    write(chunk) {
      if (response.destroyed || response.writableEnded)
        return Promise.reject(new ClientGoneError("Cannot write the answer: the client has gone"));
      if (stream.write(chunk)) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const done = () => {
          stream.removeListener("drain", drained);
          stream.removeListener("close", gone);
        };
        const drained = () => {
          done();
          resolve();
        };
        const gone = () => {
          done();
          reject(new ClientGoneError("Cannot write the answer: the client has gone"));
        };
        stream.once("drain", drained);
        stream.once("close", gone);
      });
    },
  };
}

/** An ordinary answer on a connection that asked for an upgrade: raw HTTP/1.1, then close. */
export async function sendOnSocket(exchange: Exchange, socket: Duplex, answer: Answer): Promise<void> {
  if (answer.kind === "hijacked") return;
  const headers = headersOf(exchange, answer);
  const lines = [`HTTP/1.1 ${answer.status} ${STATUS_TEXT[answer.status] ?? "Status"}`];
  if (answer.kind === "bytes") headers["content-length"] = String(answer.body.length);
  headers["connection"] = "close";
  for (const [name, value] of Object.entries(headers))
    for (const one of Array.isArray(value) ? value : [value]) lines.push(`${name}: ${one}`);
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  if (answer.kind === "bytes") {
    socket.end(answer.body);
    return;
  }
  await answer.run({ write: async (chunk) => void socket.write(chunk) }, exchange.signal);
  socket.end();
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};
