import type { Readable, Writable } from "node:stream";
import type { RemoteCommandStatus } from "./status.ts";

/** Spelled as on the wire. */
export interface TerminalSize {
  readonly Width: number;
  readonly Height: number;
}

/** What the client asked to be attached. With a terminal there is no stderr: it is part of stdout. */
export interface RemoteCommandOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/**
 * A command's streams, whatever protocol carries them.
 *
 * R1. `stdin` ends when the client closes it or goes away; `resize` ends when the client goes away.
 * R2. Writes wait for a slow client; after the client has gone they are dropped.
 * R3. `finish` sends all output, then the status, then closes. It must be called once, also after the client has gone.
 */
export interface RemoteCommandStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly resize: AsyncIterable<TerminalSize>;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
  /** Ends stdout and stderr, tells the outcome, closes the connection. Resolves when it is closed. */
  finish(status: RemoteCommandStatus): Promise<void>;
}
