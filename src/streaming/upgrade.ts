import type { IncomingMessage } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";

/** What an HTTP server's "upgrade" event gives. Whoever takes it owns the socket. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

export const SPDY_UPGRADE = "SPDY/3.1";
export const PROTOCOL_HEADER = "X-Stream-Protocol-Version";
const ACCEPTED_PROTOCOLS_HEADER = "X-Accepted-Stream-Protocol-Versions";
/** Longest WebSocket message taken: clients may send all of stdin as one. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
/** A bearer token offered as a subprotocol by browsers; it is not a protocol to choose. */
const BEARER_PROTOCOL = "base64url.bearer.authorization.k8s.io.";

export function isWebSocketUpgrade(request: IncomingMessage): boolean {
  return hasUpgrade(request, "websocket");
}

export function isSpdyUpgrade(request: IncomingMessage): boolean {
  return hasUpgrade(request, SPDY_UPGRADE.toLowerCase());
}

function hasUpgrade(request: IncomingMessage, wanted: string): boolean {
  const connection = commaSeparated(request.headers.connection).map((token) => token.toLowerCase());
  return connection.includes("upgrade") && commaSeparated(request.headers.upgrade).some((token) => token.toLowerCase() === wanted);
}

/** The subprotocols that a WebSocket client offers, in its order. */
export function offeredSubprotocols(request: IncomingMessage): readonly string[] {
  return commaSeparated(request.headers["sec-websocket-protocol"]).filter((name) => !name.startsWith(BEARER_PROTOCOL));
}

function commaSeparated(value: string | readonly string[] | undefined): readonly string[] {
  const text = typeof value === "string" ? value : (value ?? []).join(",");
  return text
    .split(",")
    .map((token) => token.trim())
    .filter((token) => token !== "");
}

export interface PlainAnswer {
  readonly code: number;
  readonly body: string;
  /** @default text/plain; charset=utf-8 */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers an upgrade request as an ordinary one, and ends the connection. */
export function refuseUpgrade({ socket }: Pick<Upgrade, "socket">, answer: PlainAnswer): void {
  const { code, body, contentType = "text/plain; charset=utf-8", headers = {} } = answer;
  const lines = [
    `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? "Unknown"}`,
    `Content-Type: ${contentType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    "X-Content-Type-Options: nosniff",
    "Connection: close",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  swallowErrors(socket);
  socket.resume(); // what the client sent ahead must not turn the end into a reset
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

/**
 * Completes a SPDY upgrade with the client's first protocol that is among `supported`. When there is none the request has
 * been refused in upstream's words, and undefined comes back.
 */
export function acceptSpdy(upgrade: Upgrade, supported: readonly string[]): string | undefined {
  const { request, socket, head } = upgrade;
  const offered = commaSeparated(request.headers[PROTOCOL_HEADER.toLowerCase()]);
  if (offered.length === 0) {
    refuseUpgrade(upgrade, { code: 400, body: `unable to upgrade: ${PROTOCOL_HEADER} is required\n` });
    return undefined;
  }
  const protocol = offered.find((name) => supported.includes(name));
  if (protocol === undefined) {
    const lists = `client supports [${offered.join(" ")}], server accepts [${supported.join(" ")}]`;
    refuseUpgrade(upgrade, {
      code: 403,
      body: `unable to upgrade: unable to negotiate protocol: ${lists}\n`,
      headers: { [ACCEPTED_PROTOCOLS_HEADER]: supported.join(", ") },
    });
    return undefined;
  }
  swallowErrors(socket);
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${SPDY_UPGRADE}\r\n${PROTOCOL_HEADER}: ${protocol}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  return protocol;
}

const acceptor = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  skipUTF8Validation: true,
  maxPayload: MAX_MESSAGE_BYTES,
  clientTracking: false,
});
acceptor.on("headers", (headers, request) => {
  const protocol = chosen.get(request);
  if (protocol !== undefined) headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
});
const chosen = new WeakMap<IncomingMessage, string>();

export interface AcceptedWebSocket {
  readonly webSocket: WebSocket;
  /** "" when the client offered none and that is supported. */
  readonly protocol: string;
}

/**
 * Completes a WebSocket upgrade with the client's first subprotocol that is among `supported` (which may hold "" for clients
 * that offer none). When there is none, or the handshake is malformed, the request has been refused and undefined comes back.
 */
export async function acceptWebSocket(upgrade: Upgrade, supported: readonly string[]): Promise<AcceptedWebSocket | undefined> {
  const { request, socket, head } = upgrade;
  const offered = offeredSubprotocols(request);
  const protocol = offered.length === 0 ? supported.find((name) => name === "") : offered.find((name) => supported.includes(name));
  if (protocol === undefined) {
    const lists = `client supports [${offered.join(" ")}], server accepts [${supported.filter((name) => name !== "").join(" ")}]`;
    refuseUpgrade(upgrade, { code: 403, body: `unable to upgrade: unable to negotiate protocol: ${lists}\n` });
    return undefined;
  }
  swallowErrors(socket);
  // Chosen here: the library takes no names with a slash, and port-forward's has one.
  delete request.headers["sec-websocket-protocol"];
  if (protocol !== "") chosen.set(request, protocol);
  return new Promise((resolve) => {
    socket.once("close", () => resolve(undefined)); // ws refuses malformed handshakes itself
    acceptor.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on("error", () => undefined); // "close" follows and is what everybody listens to
      resolve({ webSocket, protocol });
    });
  });
}

/** A connection that breaks is seen by its "close"; its "error" must not bring the process down. */
export function swallowErrors(socket: Duplex): void {
  socket.on("error", () => undefined);
}
