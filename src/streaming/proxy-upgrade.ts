import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { request as httpRequest, STATUS_CODES } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import type { SecureContextOptions } from "node:tls";
import type { Clock } from "#base/clock.ts";
import { describeDialError } from "./dial-error.ts";
import { linger } from "./linger.ts";
import { splice } from "./splice.ts";
import { offeredSubprotocols, refuseUpgrade, swallowErrors, type Upgrade } from "./upgrade.ts";

export interface ProxyUpgradeTarget {
  /** Where the request goes: scheme, host, path and query are the target's, not the client's. */
  readonly url: URL;
  /** CA to trust, and the certificate and key to show. */
  readonly tls?: SecureContextOptions & { readonly servername?: string; readonly rejectUnauthorized?: boolean };
  /** Replace headers of the client, or add to them. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Limit on the time until the target answers. @default 30_000 */
  readonly dialTimeoutMs?: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Headers of the client that are about itself and the first hop. */
const NOT_FORWARDED = /^(host|authorization|impersonate-.*|x-remote-.*|sec-websocket-protocol)$/;

/**
 * Forwards an upgrade request (WebSocket or SPDY) and, once the target has switched, copies bytes both ways: both ends speak
 * the same protocol, so no frame is looked at. An answer other than 101 is relayed whole; a target that cannot be
 * reached gives a Status with upstream's text `error dialing backend: ...`. Resolves when the connection is over, whatever its
 * outcome; the client's socket is then closed.
 */
export async function proxyUpgrade(upgrade: Upgrade, target: ProxyUpgradeTarget): Promise<void> {
  const { request, socket, head } = upgrade;
  const { url, tls = {} } = target;
  const signal = AbortSignal.any([target.signal]); // listeners of many connections do not gather on one signal
  swallowErrors(socket);
  const outcome = await forward(request, socket, target);
  switch (outcome.kind) {
    case "unreachable":
      refuseUpgrade(upgrade, dialErrorAnswer(outcome.why));
      break;
    case "gone":
      socket.destroy();
      break;
    case "refused":
      await relayAnswer(socket, outcome.response, signal);
      break;
    case "switched": {
      const { response, backend } = outcome;
      swallowErrors(backend);
      socket.write(formatHead(response));
      if (head.length > 0) socket.unshift(head);
      if (outcome.head.length > 0) backend.unshift(outcome.head);
      const spliced = splice(socket, backend, signal);
      backend.once("close", () => void linger(socket, target.clock)); // a client that does not close is cut off
      await spliced;
      break;
    }
  }

  function forward(incoming: IncomingMessage, client: Duplex, { dialTimeoutMs = 30_000, clock }: ProxyUpgradeTarget): Promise<Outcome> {
    return new Promise((resolve) => {
      const settled = new AbortController();
      const send = url.protocol === "https:" ? httpsRequest : httpRequest;
      const outgoing = send(url, { ...tls, method: incoming.method ?? "GET", agent: false, headers: forwardedHeaders(incoming, target) });
      const stop = () => outgoing.destroy(new Error("i/o timeout"));
      const leave = () => outgoing.destroy(new Error("the client has gone"));
      void clock.sleep(dialTimeoutMs, settled.signal).then(() => settled.signal.aborted || stop());
      const settle = (outcome: Outcome) => {
        settled.abort();
        signal.removeEventListener("abort", leave);
        client.removeListener("close", leave);
        resolve(outcome);
      };
      signal.addEventListener("abort", leave, { once: true });
      client.once("close", leave);
      outgoing.on("upgrade", (response, backend, backendHead) => settle({ kind: "switched", response, backend, head: backendHead }));
      outgoing.on("response", (response) => settle({ kind: "refused", response }));
      outgoing.on("error", (cause) =>
        settle(client.destroyed || signal.aborted ? { kind: "gone" } : { kind: "unreachable", why: describeDialError(cause) }),
      );
      outgoing.end();
    });
  }
}

type Outcome =
  | { readonly kind: "switched"; readonly response: IncomingMessage; readonly backend: Duplex; readonly head: Buffer }
  | { readonly kind: "refused"; readonly response: IncomingMessage }
  | { readonly kind: "unreachable"; readonly why: string }
  | { readonly kind: "gone" };

/** Upstream's answer when a node cannot be reached. */
export function dialErrorAnswer(why: string): { readonly code: 500; readonly contentType: "application/json"; readonly body: string } {
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: `error dialing backend: ${why}`, code: 500 };
  return { code: 500, contentType: "application/json", body: `${JSON.stringify(status)}\n` };
}

function forwardedHeaders(request: IncomingMessage, { url, headers = {} }: ProxyUpgradeTarget): OutgoingHttpHeaders {
  const kept: OutgoingHttpHeaders = { host: url.host };
  for (const [name, value] of Object.entries(request.headersDistinct)) if (!NOT_FORWARDED.test(name)) kept[name] = value;
  const subprotocols = offeredSubprotocols(request); // without the client's token
  if (subprotocols.length > 0) kept["sec-websocket-protocol"] = subprotocols.join(", ");
  for (const [name, value] of Object.entries(headers)) kept[name.toLowerCase()] = value;
  return kept;
}

function formatHead(response: IncomingMessage, { close = false }: { readonly close?: boolean } = {}): string {
  const code = response.statusCode ?? 502;
  const lines = [`HTTP/1.1 ${code} ${response.statusMessage || (STATUS_CODES[code] ?? "")}`];
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2) {
    const name = response.rawHeaders[i] ?? "";
    if (close && /^(connection|keep-alive|transfer-encoding)$/i.test(name)) continue; // our own: the body ends with the connection
    lines.push(`${name}: ${response.rawHeaders[i + 1] ?? ""}`);
  }
  if (close) lines.push("Connection: close");
  return `${lines.join("\r\n")}\r\n\r\n`;
}

async function relayAnswer(socket: Duplex, response: IncomingMessage, signal: AbortSignal): Promise<void> {
  socket.write(formatHead(response, { close: true }));
  socket.resume();
  response.pipe(socket);
  const cut = () => socket.destroy();
  signal.addEventListener("abort", cut, { once: true });
  response.once("error", cut);
  await new Promise<void>((resolve) => {
    socket.once("finish", () => socket.destroy()).once("close", () => resolve());
    if (socket.destroyed) resolve();
  });
  signal.removeEventListener("abort", cut);
  response.destroy();
}
