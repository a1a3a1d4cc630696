import { Duplex } from "node:stream";
import { RESET } from "./error.ts";
import { formatDataHeader } from "./frame.ts";
import type { SpdyHeaders } from "./header-block.ts";

/** Longest payload of one DATA frame: other streams get their turn after it. */
const MAX_PAYLOAD = 32 * 1024;

/**
 * One stream of a session. `duplex` is its bytes: `end()` closes our half, the end of reading is the peer's half (`for await`
 * over a Duplex destroys it at the end: read it by events or pipes while our half is open).
 *
 * A stream the peer reset ends gently: reading yields what had arrived and then the end, what is written is dropped;
 * `resetCode` tells. Destroying `duplex` resets the stream.
 */
export interface SpdyStream {
  readonly id: number;
  /** As the opener sent them. */
  readonly headers: SpdyHeaders;
  readonly duplex: Duplex;
  /** Accepts a stream that the peer opened. Peers drop data that comes before it. */
  reply(): void;
  /** Ends both halves at once. */
  reset(code: number): void;
  readonly resetCode: number | undefined;
}

/** The session's side of a stream. */
export interface StreamCore {
  readonly stream: SpdyStream;
  receive(bytes: Buffer, end: { readonly fin: boolean }): void;
  resetByPeer(code: number): void;
  /** The peer's window grew by `delta` (SETTINGS may shrink it). Past `most` the stream is reset. */
  widen(delta: number, most: number): void;
  /** Sends what may be sent now; whether anything was. */
  pump(): boolean;
  /** Whether more has arrived than the window allows. */
  isOverfull(): boolean;
}

export interface StreamLinks {
  readonly sendWindow: number;
  readonly receiveWindow: number;
  readonly transport: Duplex;
  reply(): void;
  reset(code: number): void;
  /** How much the session's own window lets through. */
  sessionAllowance(): number;
  obeysWindows(): boolean;
  sent(bytes: number): void;
  widenPeer(bytes: number): void;
  consumed(bytes: number): void;
  overfull(): void;
  /** Both halves are closed. */
  gone(): void;
}

export function createSpdyStream(id: number, headers: SpdyHeaders, links: StreamLinks): StreamCore {
  const { transport, receiveWindow } = links;
  let { sendWindow } = links;
  let pending: { chunk: Buffer; done: () => void } | undefined;
  let ending: (() => void) | undefined;
  let replied = false;
  let localEnded = false;
  let remoteEnded = false;
  let resetCode: number | undefined;
  let gone = false;
  /** What has arrived and was not yet asked for, its length, and what was taken since the last WINDOW_UPDATE. */
  const arrived: Buffer[] = [];
  let held = 0;
  let unacknowledged = 0;
  let wanted = false;
  let atEnd = false;

  const duplex = new Duplex({
    allowHalfOpen: true,
    readableHighWaterMark: MAX_PAYLOAD,
    writableHighWaterMark: MAX_PAYLOAD,
    read() {
      wanted = true;
      deliver();
    },
    write(chunk: Buffer, _encoding, callback) {
      if (localEnded || gone) return callback(); // dropped: the peer takes no more
      pending = { chunk, done: callback };
      pump();
    },
    final(callback) {
      if (localEnded || gone) return callback();
      ending = callback;
      pump();
    },
    destroy(error, callback) {
      if (!gone) {
        if (!(localEnded && remoteEnded)) links.reset(error === null ? RESET.cancel : RESET.internalError);
        leave();
      }
      dropPending();
      callback(error);
    },
  });

  const stream: SpdyStream = {
    id,
    headers,
    duplex,
    reply() {
      if (replied || gone) return;
      replied = true;
      links.reply();
    },
    reset(code) {
      if (gone) return;
      links.reset(code);
      leave();
      dropPending();
      duplex.destroy();
    },
    get resetCode() {
      return resetCode;
    },
  };

  return { stream, receive, resetByPeer, widen, pump, isOverfull: () => !gone && held > receiveWindow };

  function receive(bytes: Buffer, { fin }: { readonly fin: boolean }): void {
    if (gone || remoteEnded || duplex.destroyed) return links.consumed(bytes.length);
    if (bytes.length > 0) {
      arrived.push(bytes);
      held += bytes.length;
      deliver();
      if (held > receiveWindow) links.overfull();
    }
    if (fin) {
      remoteEnded = true;
      if (localEnded) leave();
      deliver();
    }
  }

  /** Hands over as much as the reader wants, and lets the peer send as much again. */
  function deliver(): void {
    let taken = 0;
    while (wanted) {
      const next = arrived.shift();
      if (next === undefined) break;
      taken += next.length;
      wanted = duplex.push(next);
    }
    if (arrived.length === 0 && remoteEnded && !atEnd) {
      atEnd = true;
      duplex.push(null);
    }
    if (gone || taken === 0) return;
    held -= taken;
    unacknowledged += taken;
    if (unacknowledged >= receiveWindow / 2 && links.obeysWindows() && !remoteEnded) {
      links.widenPeer(unacknowledged);
      unacknowledged = 0;
    }
    links.consumed(taken);
  }

  function resetByPeer(code: number): void {
    if (gone) return;
    resetCode = code;
    leave();
    dropPending();
    remoteEnded = true;
    deliver();
  }

  function widen(delta: number, most: number): void {
    sendWindow += delta;
    if (sendWindow > most) stream.reset(RESET.flowControlError);
    else pump();
  }

  function pump(): boolean {
    let any = false;
    while (pending !== undefined && !transport.writableNeedDrain) {
      const allowed = links.obeysWindows() ? Math.min(sendWindow, links.sessionAllowance()) : Number.POSITIVE_INFINITY;
      const length = Math.min(pending.chunk.length, MAX_PAYLOAD, allowed);
      if (length <= 0 && pending.chunk.length > 0) return any;
      const payload = pending.chunk.subarray(0, length);
      pending.chunk = pending.chunk.subarray(length);
      sendWindow -= length;
      links.sent(length);
      if (length > 0) {
        transport.cork();
        transport.write(formatDataHeader(id, length));
        transport.write(payload);
        transport.uncork();
      }
      any = true;
      if (pending.chunk.length === 0) {
        const { done } = pending;
        pending = undefined;
        done();
      }
    }
    if (pending === undefined && ending !== undefined) {
      transport.write(formatDataHeader(id, 0, { fin: true }));
      localEnded = true;
      any = true;
      const done = ending;
      ending = undefined;
      if (remoteEnded) leave();
      done();
    }
    return any;
  }

  function dropPending(): void {
    const waiting = [pending?.done, ending];
    pending = undefined;
    ending = undefined;
    for (const done of waiting) done?.();
  }

  function leave(): void {
    if (gone) return;
    gone = true;
    links.gone();
    if (held > 0) links.consumed(held); // its buffer no longer counts against the session
    held = 0;
  }
}
