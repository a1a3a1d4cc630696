import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import type { SecureContextOptions } from "node:tls";
import { describeDialError } from "./dial-error.ts";
import { openSpdySession, type SpdySession } from "./spdy/session.ts";
import { PROTOCOL_HEADER, SPDY_UPGRADE, swallowErrors } from "./upgrade.ts";

/** The server could not be reached, or did not switch to SPDY. */
export class DialError extends Error {
  override readonly name = "DialError";
}

export interface DialOptions {
  readonly signal: AbortSignal;
  /** Offered in this order. */
  readonly protocols: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: SecureContextOptions & { readonly servername?: string };
}

export interface DialedSession {
  readonly session: SpdySession;
  /** What the server chose of `protocols`. */
  readonly protocol: string;
}

/** Opens a SPDY session with `POST url`, the client's side of exec, attach and port-forward. The caller owns the session. */
export async function dialSpdy(url: URL, { signal, protocols, headers = {}, tls = {} }: DialOptions): Promise<DialedSession> {
  signal.throwIfAborted();
  const { response, socket, head } = await upgrade();
  const protocol = String(response.headers[PROTOCOL_HEADER.toLowerCase()] ?? protocols[0] ?? "");
  swallowErrors(socket);
  if (head.length > 0) socket.unshift(head);
  return { session: openSpdySession(socket, { role: "client" }), protocol };

  function upgrade(): Promise<{ response: IncomingMessage; socket: Duplex; head: Buffer }> {
    return new Promise((resolve, reject) => {
      const send = url.protocol === "https:" ? httpsRequest : httpRequest;
      const request = send(url, {
        ...tls,
        method: "POST",
        agent: false,
        signal,
        headers: { ...headers, Connection: "Upgrade", Upgrade: SPDY_UPGRADE, [PROTOCOL_HEADER]: [...protocols], "Content-Length": "0" },
      });
      request.on("upgrade", (response, socket, head) => resolve({ response, socket, head }));
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          if (bytes < 4096) chunks.push(chunk);
          bytes += chunk.length;
        });
        response.on("close", () => {
          const body = Buffer.concat(chunks).toString().trim();
          reject(new DialError(`unable to upgrade connection: ${body === "" ? response.statusCode : body}`));
        });
      });
      request.on("error", (cause) => reject(signal.aborted ? cause : new DialError(describeDialError(cause), { cause })));
      request.end();
    });
  }
}
