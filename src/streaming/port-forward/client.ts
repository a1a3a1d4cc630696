import type { Duplex } from "node:stream";
import { dialSpdy, type DialOptions } from "../dial-spdy.ts";
import type { SpdySession } from "../spdy/session.ts";
import { splice } from "../splice.ts";

/** A port-forward session with a server, which opens connections to ports of one pod. */
export interface PortForwardClient extends AsyncDisposable {
  /**
   * Connects `local` with a port of the pod until both directions have ended. Rejects with what the server said on the error
   * stream. An abort breaks the connection and resolves.
   */
  connect(port: number, local: Duplex, signal: AbortSignal): Promise<void>;
  /** Resolves when the session is over. */
  readonly closed: Promise<unknown>;
}

/** The other side could not connect to the port, or lost it. */
export class PortForwardError extends Error {
  override readonly name = "PortForwardError";
}

/** Opens a port-forward session over SPDY. The caller disposes it. */
export async function openPortForward(url: URL, dial: Omit<DialOptions, "protocols">): Promise<PortForwardClient> {
  const { session } = await dialSpdy(url, { ...dial, protocols: ["portforward.k8s.io"] });
  let requests = 0;
  return {
    closed: session.closed,
    connect: (port, local, signal) => connect(session, { port, requestId: String(requests++) }, local, signal),
    async [Symbol.asyncDispose]() {
      await session.close();
      session.destroy();
    },
  };
}

async function connect(
  session: SpdySession,
  { port, requestId }: { readonly port: number; readonly requestId: string },
  local: Duplex,
  outer: AbortSignal,
): Promise<void> {
  const signal = AbortSignal.any([outer]); // listeners of many connections do not gather on one signal
  const open = async (type: string) => {
    const headers = new Map([
      ["streamtype", type],
      ["port", String(port)],
      ["requestid", requestId],
    ]);
    return (await session.open(headers, signal)).duplex;
  };
  const error = await open("error");
  error.end();
  const chunks: Buffer[] = [];
  error.on("data", (chunk: Buffer) => chunks.push(chunk));
  const told = new Promise<void>((resolve) => error.once("end", resolve).once("close", resolve));
  const data = await open("data");
  const failed = new AbortController();
  // The server ends the error stream when the connection is over; with words on it, it failed and no more data comes.
  const verdict = told.then(() => {
    if (chunks.length > 0) failed.abort();
  });
  await splice(local, data, AbortSignal.any([signal, failed.signal]));
  await Promise.race([verdict, session.closed]);
  error.destroy();
  if (chunks.length > 0) throw new PortForwardError(Buffer.concat(chunks).toString());
}
