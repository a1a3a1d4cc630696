import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { Duplex } from "node:stream";
import type { User } from "../auth/user.ts";
import type { RequestInfo } from "./request-info.ts";

/** Where a streamed answer goes. `write` resolves when more may be written; it rejects when the client has gone. */
export interface Sink {
  write(chunk: Uint8Array): Promise<void>;
}

/** What a handler answers with; the server turns it into bytes on a connection, the loopback into a response object. */
export type Answer =
  | { readonly kind: "bytes"; readonly status: number; readonly headers: Headers; readonly body: Uint8Array }
  | {
      readonly kind: "stream";
      readonly status: number;
      readonly headers: Headers;
      /** Runs until the stream ends; `signal` aborts when the client or the server goes away. */
      readonly run: (sink: Sink, signal: AbortSignal) => Promise<void>;
    }
  /** The handler has taken over the connection (exec, port-forward). */
  | { readonly kind: "hijacked" };

export type Headers = Readonly<Record<string, string | readonly string[]>>;

/** The raw connection of a protocol upgrade (HTTP/1.1). */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** One request on its way through the pipeline. Stages fill in what later ones need. */
export interface Exchange {
  readonly method: string;
  /** Path without query, undecoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Reads the whole body once; rejects with 413 past the limit. */
  readonly body: () => Promise<Uint8Array>;
  /** Aborts when the client or the server goes away. */
  readonly signal: AbortSignal;
  /** The TLS connection, for client certificates; undefined for in-process requests. */
  readonly socket: TLSSocket | undefined;
  /** Who asks, where the request comes from this process and needs no credentials. */
  readonly inProcess: User | undefined;
  readonly upgrade: Upgrade | undefined;
  readonly remoteAddress: string;
  user: User;
  info: RequestInfo;
  /** Texts for `Warning: 299` headers, in order, without duplicates. */
  readonly warnings: Set<string>;
  readonly answerHeaders: Record<string, string>;
}

export type Handler = (exchange: Exchange) => Promise<Answer>;

/** A stage sees a request before those after it, and their answer. */
export interface Stage {
  readonly name: string;
  readonly run: (exchange: Exchange, next: Handler) => Promise<Answer>;
}

/** The stages as one handler, first stage outermost. */
export function compose(stages: readonly Stage[], last: Handler): Handler {
  return stages.reduceRight<Handler>((next, stage) => (exchange) => stage.run(exchange, next), last);
}
