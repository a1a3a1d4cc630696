import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { TLSSocket } from "node:tls";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { serveLogWebSocket } from "#streaming/log-websocket.ts";
import { acceptPortForward } from "#streaming/port-forward/accept.ts";
import { acceptRemoteCommand } from "#streaming/remote-command/accept.ts";
import { internalErrorStatus } from "#streaming/remote-command/status.ts";
import { isSpdyUpgrade, isWebSocketUpgrade, type PlainAnswer, refuseUpgrade, type Upgrade } from "#streaming/upgrade.ts";
import { accessOf, bearerToken, certificateUser, forbiddenText } from "./access.ts";
import type { NodeAccess, ServerTls, UserInfo } from "./contract.ts";
import { checkContainerLog, openContainerLog } from "./logs.ts";
import { route, type RouteDeps, type Routed } from "./routes.ts";

export interface KubeletServerDeps extends RouteDeps {
  readonly nodeName: string;
  readonly tls: ServerTls;
  /** The user of a bearer token. Absent: tokens are refused. */
  readonly authenticateToken?: (token: string, signal: AbortSignal) => Promise<UserInfo | undefined>;
  readonly authorize: (access: NodeAccess, signal: AbortSignal) => Promise<boolean>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The node's HTTPS port, as upstream's kubelet serves it to the API server.
 *
 * K1. Nothing is answered without a client certificate of the cluster's CA or a bearer token, and nothing without leave.
 * K2. What cannot be done is said before an upgrade, in upstream's words.
 * K3. Disposal ends all requests, streams included, and frees the port.
 */
export interface KubeletServer extends AsyncDisposable {
  listen(address: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }>;
  /** New connections get this certificate. */
  setTls(tls: ServerTls): void;
}

/** As Go's server: the words of a command are part of the request line. */
const MAX_HEADER_BYTES = 1024 * 1024;
const KEEP_ALIVE_MS = 90_000;

export function createKubeletServer(deps: KubeletServerDeps): KubeletServer {
  const { nodeName, authenticateToken, authorize, clock, log } = deps;
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  const upgraded = new Set<Upgrade["socket"]>();
  const server = createServer({
    ...tlsOptions(deps.tls),
    requestCert: true,
    rejectUnauthorized: false, // who shows no valid certificate may have a token: K1
    maxHeaderSize: MAX_HEADER_BYTES,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  server.on("request", (request, response) => spawn(answerRequest(request, response), () => response.destroy()));
  server.on("upgrade", (request, socket, head) => {
    upgraded.add(socket);
    socket.on("error", () => undefined);
    socket.once("close", () => upgraded.delete(socket));
    spawn(answerUpgrade({ request, socket, head }), () => socket.destroy());
  });
  server.on("tlsClientError", (cause) => log.debug("TLS handshake failed", { cause }));

  return {
    listen({ host, port }) {
      return new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, () => {
          server.removeListener("error", reject);
          const address = server.address();
          resolve({ port: address !== null && typeof address === "object" ? address.port : port });
        });
      });
    },
    setTls: (tls) => server.setSecureContext(tlsOptions(tls)),
    async [Symbol.asyncDispose]() {
      stopping.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
      await Promise.all([closed, ...running]);
    },
  };

  function spawn(work: Promise<void>, giveUp: () => void): void {
    const task = work
      .catch((cause: unknown) => {
        if (!stopping.signal.aborted) log.error("Request failed", { cause });
        giveUp();
      })
      .finally(() => running.delete(task));
    running.add(task);
  }

  async function answerRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const signal = AbortSignal.any([gone.signal, stopping.signal]);
    const routed = await admit(request, signal);
    switch (routed.kind) {
      case "answer":
        return send(response, routed.answer);
      case "log":
        return sendLog(response, routed, signal);
      case "command":
      case "portForward":
        return send(response, { code: 400, body: "Upgrade request required\n" });
    }
  }

  async function answerUpgrade(upgrade: Upgrade): Promise<void> {
    const { request, socket } = upgrade;
    const gone = new AbortController();
    socket.once("close", () => gone.abort());
    const signal = AbortSignal.any([gone.signal, stopping.signal]);
    const routed = await admit(request, signal);
    if (routed.kind === "answer") return refuseUpgrade(upgrade, routed.answer);
    if (!isWebSocketUpgrade(request) && !isSpdyUpgrade(request)) {
      return refuseUpgrade(upgrade, { code: 400, body: "unable to upgrade: missing upgrade headers in request\n" });
    }
    if (routed.kind === "log") await serveLog(upgrade, routed, signal);
    else if (routed.kind === "command") await serveCommand(upgrade, routed, signal);
    else await servePortForward(upgrade, routed, signal);
  }

  async function serveLog(upgrade: Upgrade, { source, options }: Routed & { readonly kind: "log" }, signal: AbortSignal) {
    if (!isWebSocketUpgrade(upgrade.request)) return refuseUpgrade(upgrade, { code: 400, body: "unable to upgrade: wanted a WebSocket\n" });
    try {
      await checkContainerLog(source);
    } catch (cause) {
      return refuseUpgrade(upgrade, { code: 400, body: cause instanceof Error ? cause.message : String(cause) }); // K2
    }
    const open = async (until: AbortSignal) =>
      Readable.from(await openContainerLog(source, options, { clock, signal: until }), { objectMode: false });
    await serveLogWebSocket(upgrade, open, { clock, signal });
  }

  async function serveCommand(upgrade: Upgrade, { options, prepare }: Routed & { readonly kind: "command" }, signal: AbortSignal) {
    const connect = await prepared(upgrade, prepare, signal);
    if (connect === undefined) return;
    const streams = await acceptRemoteCommand(upgrade, options, { clock });
    if (streams === undefined) return;
    const status = await connect(streams, signal).catch((cause: unknown) =>
      internalErrorStatus(cause instanceof Error ? cause.message : String(cause)),
    );
    await streams.finish(status);
  }

  async function servePortForward(upgrade: Upgrade, { prepare }: Routed & { readonly kind: "portForward" }, signal: AbortSignal) {
    await using session = await prepared(upgrade, prepare, signal);
    if (session !== undefined) await acceptPortForward(upgrade, session.connect, { clock, signal });
  }

  /** K2: undefined when the runtime refused and the client has been told so. */
  async function prepared<T>(upgrade: Upgrade, prepare: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await prepare(signal);
    } catch (cause) {
      refuseUpgrade(upgrade, { code: 500, body: cause instanceof Error ? cause.message : String(cause) });
      return undefined;
    }
  }

  /** K1. */
  async function admit(request: IncomingMessage, signal: AbortSignal): Promise<Routed> {
    const user = await authenticate(request, signal);
    if (user === undefined) return { kind: "answer", answer: { code: 401, body: "Unauthorized" } };
    const url = parseUrl(request.url);
    if (url === undefined) return { kind: "answer", answer: { code: 400, body: "invalid path\n" } };
    const access = accessOf(user, request.method ?? "", url.pathname, nodeName);
    if (!(await authorize(access, signal))) return { kind: "answer", answer: { code: 403, body: forbiddenText(access) } };
    return route(request.method ?? "", url, deps, signal);
  }

  async function authenticate({ socket, headers }: IncomingMessage, signal: AbortSignal): Promise<UserInfo | undefined> {
    const user = socket instanceof TLSSocket ? certificateUser(socket) : undefined;
    if (user !== undefined) return user;
    const token = bearerToken(headers.authorization);
    return token === undefined ? undefined : authenticateToken?.(token, signal);
  }

  async function sendLog(response: ServerResponse, { source, options }: Routed & { readonly kind: "log" }, signal: AbortSignal) {
    let lines: AsyncGenerator<Buffer, void>;
    try {
      lines = await openContainerLog(source, options, { clock, signal });
    } catch (cause) {
      return send(response, { code: 400, body: cause instanceof Error ? cause.message : String(cause) });
    }
    response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" });
    response.flushHeaders(); // a follower learns at once that there is a log
    try {
      await pipeline(Readable.from(lines, { objectMode: false }), response);
    } catch (cause) {
      if (!signal.aborted) throw cause;
    }
  }
}

function tlsOptions({ cert, key, clientCa }: ServerTls) {
  return { cert, key, ca: clientCa, minVersion: "TLSv1.2" as const };
}

function parseUrl(target: string | undefined): URL | undefined {
  const url = `https://node${target ?? ""}`;
  return target?.startsWith("/") === true && URL.canParse(url) ? new URL(url) : undefined;
}

function send(response: ServerResponse, { code, body, contentType = "text/plain; charset=utf-8", headers = {} }: PlainAnswer): void {
  response.writeHead(code, {
    "Content-Type": contentType,
    "Content-Length": Buffer.byteLength(body),
    "X-Content-Type-Options": "nosniff",
    ...headers,
  });
  response.end(body);
}
