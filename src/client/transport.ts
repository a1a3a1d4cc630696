import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from "node:http2";
import { deferred } from "#base/deferred.ts";
import type { Log } from "#base/log.ts";

/** What proves who we are. Read again for every new connection (certificates) and every request (token). */
export interface Credentials {
  /** PEM; absent: the machine's trust store. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string;
}

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Ends at the end of the body; throws TransportError when the connection breaks before. Leaving the loop cancels the rest. */
  readonly body: AsyncIterable<Buffer>;
}

/** `unsent`: the server has certainly not acted on the request. */
export class TransportError extends Error {
  override readonly name = "TransportError";
  readonly unsent: boolean;
  constructor(message: string, unsent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.unsent = unsent;
  }
}

/** Carries HTTP requests to one server. `lane` keeps long-lived streams off the connection that short calls share. */
export interface Transport extends AsyncDisposable {
  send(request: HttpRequest, lane: "call" | "stream", signal: AbortSignal): Promise<HttpResponse>;
}

export interface TransportDeps {
  readonly credentials: () => Credentials;
  readonly log: Log;
}

export interface TransportOptions {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** @default 10_000 */
  readonly connectTimeoutMs?: number;
  /** A connection silent for this long is pinged. @default 30_000 */
  readonly pingAfterMs?: number;
  /** @default 15_000 */
  readonly pingTimeoutMs?: number;
}

const STREAM_WINDOW = 1 << 20;
/** Streams per connection before another is opened, where the server allows as many. */
const MAX_STREAMS = 200;

interface Connection {
  readonly session: ClientHttp2Session;
  readonly lane: "call" | "stream";
  readonly credentials: Credentials;
  /** Resolves when the server has told its limits; before that nothing is sent, or it could refuse streams. */
  readonly ready: Promise<void>;
  isReady: boolean;
  streams: number;
  /** False after GOAWAY, a lost ping, or when newer credentials exist. */
  usable: boolean;
}

/**
 * HTTP/2 over TLS: many requests and watches share few connections, which are opened on demand and replaced when they break.
 * I/O deadlines run on the machine's timers, not the injected clock: a test that moves its clock must not break real sockets.
 */
export function createHttp2Transport(
  { credentials, log }: TransportDeps,
  { server, connectTimeoutMs = 10_000, pingAfterMs = 30_000, pingTimeoutMs = 15_000 }: TransportOptions,
): Transport {
  const connections = new Set<Connection>();
  let closed = false;

  return { send, [Symbol.asyncDispose]: close };

  async function send(request: HttpRequest, lane: "call" | "stream", signal: AbortSignal): Promise<HttpResponse> {
    for (;;) {
      signal.throwIfAborted();
      if (closed) throw new TransportError(`Cannot reach "${server}": the client is closed, wanted an open one`, true);
      const current = credentials();
      const connection = connectionFor(lane, current);
      if (connection.isReady) return exchange(request, connection, current.token, signal);
      await untilReady(connection, signal);
    }
  }

  async function untilReady({ ready }: Connection, signal: AbortSignal): Promise<void> {
    const given = deferred();
    const giveUp = () => given.resolve();
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      await Promise.race([ready, given.promise]);
    } catch (cause) {
      throw new TransportError(`Cannot reach "${server}": ${text(cause)}`, true, { cause });
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  function exchange(request: HttpRequest, connection: Connection, token: string | undefined, signal: AbortSignal): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      let stream: ClientHttp2Stream;
      try {
        stream = connection.session.request(
          {
            ":method": request.method,
            ":path": request.path,
            ...request.headers,
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          },
          { endStream: request.body === undefined }, // Node would end every DELETE before its body
        );
      } catch (cause) {
        connection.usable = false;
        reject(new TransportError(`Cannot reach "${server}": ${text(cause)}`, true, { cause }));
        return;
      }
      connection.streams++;
      let answered = false;
      let failure: TransportError | undefined;
      const onAbort = () => stream.close(constants.NGHTTP2_CANCEL);
      signal.addEventListener("abort", onAbort, { once: true });
      stream.on("error", (cause) => {
        const unsent = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
        failure = new TransportError(`Cannot ${request.method} ${server}${request.path}: ${text(cause)}`, unsent, { cause });
      });
      stream.on("response", (headers) => {
        answered = true;
        resolve({ status: headers[":status"] ?? 0, headers: plainHeaders(headers), body: bodyOf(stream, request, signal, () => failure) });
      });
      stream.on("close", () => {
        signal.removeEventListener("abort", onAbort);
        connection.streams--;
        if (!connection.usable && connection.streams === 0) connection.session.close();
        if (answered) return;
        if (signal.aborted) reject(signal.reason as Error);
        else reject(failure ?? broken(request, stream));
      });
      if (request.body !== undefined) stream.end(request.body);
    });
  }

  /** A connection with room, made with the present credentials. */
  function connectionFor(lane: "call" | "stream", current: Credentials): Connection {
    for (const connection of connections) {
      if (!connection.usable || connection.lane !== lane) continue;
      if (!sameIdentity(connection.credentials, current)) {
        connection.usable = false; // its running requests finish; new ones use the new certificate
        if (connection.streams === 0) connection.session.close();
        continue;
      }
      const room = Math.min(MAX_STREAMS, connection.session.remoteSettings?.maxConcurrentStreams ?? MAX_STREAMS);
      if (connection.streams < room) return connection;
    }
    return open(lane, current);
  }

  function open(lane: "call" | "stream", current: Credentials): Connection {
    const { ca, cert, key } = current;
    const session = connect(server, {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW },
    });
    const ready = deferred();
    ready.promise.catch(() => undefined); // who waits for it hears of it
    const connection: Connection = { session, lane, credentials: current, ready: ready.promise, isReady: false, streams: 0, usable: true };
    connections.add(connection);
    const connectLimit = setTimeout(() => session.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)), connectTimeoutMs);
    session.once("connect", () => {
      clearTimeout(connectLimit);
      session.setLocalWindowSize(8 * STREAM_WINDOW);
    });
    session.once("remoteSettings", () => {
      connection.isReady = true;
      ready.resolve();
    });
    const ping = setInterval(() => {
      if (session.connecting || session.destroyed || connection.streams === 0) return;
      const limit = setTimeout(() => session.destroy(new Error(`no answer to a ping within ${pingTimeoutMs} ms`)), pingTimeoutMs);
      session.ping((cause) => {
        clearTimeout(limit);
        if (cause !== null) session.destroy(cause);
      });
    }, pingAfterMs);
    session.on("goaway", () => {
      connection.usable = false;
    });
    session.on("error", (cause) => {
      connection.usable = false;
      ready.reject(cause);
      log.debug("Connection to the API server broke", { server, cause });
    });
    session.on("close", () => {
      clearTimeout(connectLimit);
      clearInterval(ping);
      connection.usable = false;
      ready.reject(new Error("the connection closed"));
      connections.delete(connection);
    });
    return connection;
  }

  async function close(): Promise<void> {
    closed = true;
    await Promise.all(
      [...connections].map(({ session }) => {
        if (session.destroyed) return Promise.resolve();
        const gone = new Promise<void>((resolve) => session.once("close", () => resolve()));
        session.destroy();
        return gone;
      }),
    );
  }

  function broken(request: HttpRequest, stream: ClientHttp2Stream): TransportError {
    const unsent = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    return new TransportError(`Cannot ${request.method} ${server}${request.path}: the connection closed before an answer`, unsent);
  }
}

async function* bodyOf(
  stream: ClientHttp2Stream,
  request: HttpRequest,
  signal: AbortSignal,
  failure: () => TransportError | undefined,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw failure() ?? new TransportError(`Cannot ${request.method} ${request.path}: ${text(cause)}`, false, { cause });
  } finally {
    if (!stream.closed && !stream.readableEnded) stream.close(constants.NGHTTP2_CANCEL); // the reader has had enough
  }
  if (signal.aborted) throw signal.reason;
  if (stream.rstCode !== 0) throw new TransportError(`Cannot ${request.method} ${request.path}: the stream was reset`, false);
}

function plainHeaders(headers: IncomingHttpHeaders): HttpResponse["headers"] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(":")));
}

function sameIdentity(a: Credentials, b: Credentials): boolean {
  return a === b || (a.ca === b.ca && a.cert === b.cert && a.key === b.key);
}

function text(cause: unknown): string {
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
