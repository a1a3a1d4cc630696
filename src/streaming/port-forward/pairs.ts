import type { Duplex } from "node:stream";
import type { Clock } from "#base/clock.ts";
import { RESET } from "../spdy/error.ts";
import { openSpdySession } from "../spdy/session.ts";
import type { SpdyStream } from "../spdy/stream.ts";

/**
 * Connects `data` with a port of the pod until both directions have ended. The signal aborts when the client has gone. A
 * rejection is told to the client as its message.
 */
export type PortConnect = (port: number, data: Duplex, signal: AbortSignal) => Promise<void>;

/** How long one of a pair's two streams may wait for the other. */
const PAIR_TIMEOUT_MS = 30_000;

interface Pair {
  readonly port: number;
  readonly complete: AbortController;
  data?: SpdyStream;
  error?: SpdyStream;
}

/** Serves the pairs of data and error streams of a SPDY session. Resolves when session and connections are over. */
export async function servePairs(
  transport: Duplex,
  connect: PortConnect,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const pairs = new Map<string, Pair>();
  const running = new Set<Promise<void>>();
  const gone = new AbortController();
  const over = AbortSignal.any([gone.signal, signal]);
  const session = openSpdySession(transport, { role: "server", onStream });
  const stop = () => session.destroy();
  signal.addEventListener("abort", stop, { once: true });
  await session.closed;
  gone.abort();
  signal.removeEventListener("abort", stop);
  await Promise.all(running);

  function onStream(stream: SpdyStream): void {
    const type = stream.headers.get("streamtype");
    const text = stream.headers.get("port") ?? "";
    const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    if ((type !== "data" && type !== "error") || port < 1 || port > 65535) return stream.reset(RESET.protocolError);
    // Clients of old sent no request id: they opened the error stream first, and the data stream right after it.
    const requestId = stream.headers.get("requestid") ?? String(type === "error" ? stream.id : stream.id - 2);
    const pair = pairs.get(requestId) ?? newPair(requestId, port);
    if (pair[type] !== undefined || pair.port !== port) return stream.reset(RESET.protocolError);
    stream.reply();
    pair[type] = stream;
    const { data, error } = pair;
    if (data === undefined || error === undefined) return;
    pairs.delete(requestId);
    pair.complete.abort();
    const task = serve(port, data, error).finally(() => running.delete(task));
    running.add(task);
  }

  function newPair(requestId: string, port: number): Pair {
    const pair: Pair = { port, complete: new AbortController() };
    pairs.set(requestId, pair);
    void clock.sleep(PAIR_TIMEOUT_MS, AbortSignal.any([over, pair.complete.signal])).then(() => {
      if (pairs.get(requestId) !== pair) return;
      pairs.delete(requestId);
      (pair.data ?? pair.error)?.reset(RESET.cancel);
    });
    return pair;
  }

  async function serve(port: number, data: SpdyStream, error: SpdyStream): Promise<void> {
    error.duplex.resume();
    data.duplex.on("error", () => undefined);
    error.duplex.on("error", () => undefined);
    try {
      await connect(port, data.duplex, over);
      error.duplex.end();
    } catch (cause) {
      error.duplex.end(cause instanceof Error ? cause.message : String(cause));
    }
    if (!data.duplex.writableEnded) data.duplex.end();
    data.duplex.resume(); // nobody reads it any more; it must not hold the session
  }
}
