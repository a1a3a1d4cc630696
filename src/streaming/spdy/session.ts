import type { Duplex } from "node:stream";
import { type Deferred, deferred } from "#base/deferred.ts";
import { GO_AWAY, RESET, SpdyError, SpdyResetError } from "./error.ts";
import {
  createFrameParser,
  type Frame,
  formatGoAway,
  formatPing,
  formatRstStream,
  formatSettings,
  formatSynReply,
  formatSynStream,
  formatWindowUpdate,
  SETTING_INITIAL_WINDOW_SIZE,
} from "./frame.ts";
import { createHeaderCompressor, createHeaderDecompressor, type SpdyHeaders } from "./header-block.ts";
import { createSpdyStream, type SpdyStream, type StreamCore } from "./stream.ts";

/** What a window is until SETTINGS or WINDOW_UPDATE say otherwise. */
const PROTOCOL_WINDOW = 64 * 1024;
const MAX_WINDOW = 0x7fffffff;
/** What may wait on the transport in answers to control frames before the peer is held to be hostile. */
const MAX_QUEUED_ANSWERS = 1024 * 1024;

export interface SpdySessionOptions {
  readonly role: "client" | "server";
  /** A stream the peer opened: answer with `stream.reply()` before writing, or refuse with `stream.reset()`. */
  readonly onStream?: (stream: SpdyStream) => void;
  /** Streams beyond this are refused. @default 1024 */
  readonly maxStreams?: number;
  /** What a peer that keeps to windows may send ahead on one stream. @default 256 KiB */
  readonly windowBytes?: number;
}

/**
 * One SPDY/3.1 session over a connection.
 *
 * S1. Bytes of one stream arrive in order and once; streams do not wait for each other unless the peer ignores windows.
 * S2. The peer's windows are kept to as soon as it has shown that it knows them, by SETTINGS or WINDOW_UPDATE. The peers of
 *     Kubernetes know neither: they send without regard to windows and never open ours. For them the transport is the
 *     only brake: while a stream holds more than its window, nothing is read from the connection. Nor are they told of
 *     windows: one that closes with our frames unread has its kernel reset the connection, and its last bytes are lost.
 * S3. What a peer may not send (bad version, oversized frame, header bomb, unknown ids) ends the session with GOAWAY and
 *     an error in `closed`; nothing throws at the caller.
 * S4. When the session ends, all its streams end: reading yields what had arrived and then the end; what is written is dropped.
 *
 * The session owns the transport: both end together.
 */
export interface SpdySession extends AsyncDisposable {
  /** Opens a stream and waits for the peer's answer. Rejects with SpdyResetError when refused, SpdyError when the session is over. */
  open(headers: SpdyHeaders, signal: AbortSignal): Promise<SpdyStream>;
  /** How many streams are open. */
  readonly streams: number;
  /** Resolves when the peer has answered. */
  ping(signal: AbortSignal): Promise<void>;
  /** Says GOAWAY, ends the connection after what is queued; the peer's end closes it. Resolves as `closed`. */
  close(): Promise<SpdyError | undefined>;
  /** Ends at once, dropping what is queued. */
  destroy(): void;
  /** Resolves at the end of the session with what broke it, if anything did. */
  readonly closed: Promise<SpdyError | undefined>;
}

/** Starts a session on a connection whose HTTP upgrade is done. */
export function openSpdySession(
  transport: Duplex,
  { role, onStream, maxStreams = 1024, windowBytes = 256 * 1024 }: SpdySessionOptions,
): SpdySession {
  const parser = createFrameParser();
  const compressor = createHeaderCompressor();
  const decompressor = createHeaderDecompressor();
  const streams = new Map<number, StreamCore>();
  const opening = new Map<number, Deferred<void>>();
  const pings = new Map<number, Deferred<void>>();
  /** Streams that hold more than their window: S2. */
  const overfull = new Set<StreamCore>();
  const closed = deferred<SpdyError | undefined>();

  let nextStreamId = role === "client" ? 1 : 2;
  let lastPeerStreamId = 0;
  let nextPingId = role === "client" ? 1 : 2;
  let peerHasWindows = false;
  let peerInitialWindow = PROTOCOL_WINDOW;
  let sendWindow = PROTOCOL_WINDOW;
  let unacknowledged = 0;
  let goneAway = false;
  let ended = false;

  const sessionWindow = 4 * windowBytes;
  transport.write(
    Buffer.concat([
      formatSettings([{ id: SETTING_INITIAL_WINDOW_SIZE, value: windowBytes }]),
      formatWindowUpdate(0, Math.max(1, sessionWindow - PROTOCOL_WINDOW)),
    ]),
  );
  transport.on("data", onData);
  transport.on("drain", pumpAll);
  transport.on("end", () => finish(undefined, { graceful: true }));
  transport.on("error", (cause) => finish(new SpdyError(`Cannot use SPDY connection: ${cause.message}`, { cause })));
  transport.on("close", () => finish(undefined));

  const session: SpdySession = {
    closed: closed.promise,
    get streams() {
      return streams.size;
    },
    async open(headers, signal) {
      signal.throwIfAborted();
      if (ended || goneAway) throw new SpdyError("Cannot open SPDY stream: the session is closed, wanted an open one");
      const id = nextStreamId;
      nextStreamId += 2;
      const answered = deferred();
      const core = addStream(id, headers);
      opening.set(id, answered);
      transport.write(formatSynStream(id, compressor.compress(headers)));
      const abort = () => answered.reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      try {
        await answered.promise;
      } catch (cause) {
        core.stream.reset(RESET.cancel);
        throw cause;
      } finally {
        signal.removeEventListener("abort", abort);
        opening.delete(id);
      }
      return core.stream;
    },
    async ping(signal) {
      signal.throwIfAborted();
      if (ended) throw new SpdyError("Cannot ping SPDY peer: the session is closed, wanted an open one");
      const id = nextPingId;
      nextPingId += 2;
      const answered = deferred();
      pings.set(id, answered);
      const abort = () => answered.reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      try {
        transport.write(formatPing(id));
        await answered.promise;
      } finally {
        signal.removeEventListener("abort", abort);
        pings.delete(id);
      }
    },
    close() {
      if (!ended) {
        transport.write(formatGoAway(lastPeerStreamId, GO_AWAY.ok));
        finish(undefined, { graceful: true });
      }
      return closed.promise;
    },
    destroy() {
      finish(undefined);
      transport.destroy();
    },
    async [Symbol.asyncDispose]() {
      await session.close();
      transport.destroy();
    },
  };
  return session;

  function onData(chunk: Buffer) {
    if (ended) return;
    try {
      for (const frame of parser.push(chunk)) {
        handle(frame);
        if (ended) return;
      }
    } catch (cause) {
      const error = cause instanceof SpdyError ? cause : new SpdyError(`Cannot read SPDY frame: ${String(cause)}`, { cause });
      transport.write(formatGoAway(lastPeerStreamId, GO_AWAY.protocolError)); // S3
      finish(error, { graceful: true });
    }
  }

  function handle(frame: Frame): void {
    switch (frame.type) {
      case "synStream":
        return onSynStream(frame);
      case "synReply": {
        decompressor.decompress(frame.block);
        opening.get(frame.streamId)?.resolve();
        if (frame.fin) streams.get(frame.streamId)?.receive(Buffer.alloc(0), { fin: true });
        return;
      }
      case "headers":
        decompressor.decompress(frame.block); // nothing in Kubernetes sends trailers, but the codec must see them
        if (frame.fin) streams.get(frame.streamId)?.receive(Buffer.alloc(0), { fin: true });
        return;
      case "data": {
        const core = streams.get(frame.streamId);
        if (core !== undefined) return core.receive(frame.bytes, { fin: frame.fin });
        consumed(undefined, frame.bytes.length);
        const known = isLocal(frame.streamId) ? frame.streamId < nextStreamId : frame.streamId <= lastPeerStreamId;
        if (!known) answer(formatRstStream(frame.streamId, RESET.invalidStream));
        return;
      }
      case "rstStream":
        opening
          .get(frame.streamId)
          ?.reject(new SpdyResetError(`Cannot open SPDY stream: the peer reset it with code ${frame.code}`, frame.code));
        streams.get(frame.streamId)?.resetByPeer(frame.code);
        return;
      case "settings":
        peerHasWindows = true;
        for (const { id, value } of frame.entries) if (id === SETTING_INITIAL_WINDOW_SIZE) changeInitialWindow(value);
        return pumpAll();
      case "windowUpdate":
        peerHasWindows = true;
        if (frame.streamId === 0) {
          sendWindow += frame.delta;
          if (sendWindow > MAX_WINDOW) throw new SpdyError("Cannot widen SPDY window: it passes 2^31 - 1 bytes");
          return pumpAll();
        }
        return streams.get(frame.streamId)?.widen(frame.delta, MAX_WINDOW);
      case "ping":
        if (frame.id % 2 === nextPingId % 2) pings.get(frame.id)?.resolve();
        else answer(formatPing(frame.id));
        return;
      case "goAway":
        goneAway = true;
        for (const [id, answered] of opening) {
          if (id > frame.lastStreamId) answered.reject(new SpdyError("Cannot open SPDY stream: the peer is going away"));
        }
        return closeIfDone();
    }
  }

  function onSynStream({ streamId, fin, unidirectional, block }: Frame & { readonly type: "synStream" }): void {
    const headers = decompressor.decompress(block);
    if (isLocal(streamId) || streamId <= lastPeerStreamId) {
      throw new SpdyError(`Cannot accept SPDY stream ${streamId}: the id is not above ${lastPeerStreamId} or has the wrong parity`);
    }
    lastPeerStreamId = streamId;
    if (onStream === undefined || streams.size >= maxStreams) return answer(formatRstStream(streamId, RESET.refusedStream));
    const core = addStream(streamId, headers);
    if (unidirectional) core.stream.duplex.end();
    if (fin) core.receive(Buffer.alloc(0), { fin: true });
    onStream(core.stream);
  }

  function addStream(id: number, headers: SpdyHeaders): StreamCore {
    const core = createSpdyStream(id, headers, {
      sendWindow: peerInitialWindow,
      receiveWindow: windowBytes,
      reply: () => !ended && transport.write(formatSynReply(id, compressor.compress(new Map()))),
      reset: (code) => !ended && transport.write(formatRstStream(id, code)),
      sessionAllowance: () => (peerHasWindows ? sendWindow : Number.POSITIVE_INFINITY),
      obeysWindows: () => peerHasWindows,
      transport,
      sent(bytes) {
        sendWindow -= bytes;
      },
      widenPeer(bytes) {
        if (!ended) transport.write(formatWindowUpdate(id, bytes));
      },
      consumed: (bytes) => consumed(core, bytes),
      overfull() {
        overfull.add(core);
        transport.pause();
      },
      gone() {
        streams.delete(id);
        relieve(core);
        closeIfDone();
      },
    });
    streams.set(id, core);
    return core;
  }

  /** Bytes left a stream's buffer, or were thrown away: the session's own window opens again. */
  function consumed(core: StreamCore | undefined, bytes: number): void {
    unacknowledged += bytes;
    if (unacknowledged >= sessionWindow / 2 && peerHasWindows && !ended) {
      transport.write(formatWindowUpdate(0, unacknowledged));
      unacknowledged = 0;
    }
    if (core !== undefined && !core.isOverfull()) relieve(core);
  }

  function relieve(core: StreamCore): void {
    if (overfull.delete(core) && overfull.size === 0) transport.resume();
  }

  function changeInitialWindow(value: number): void {
    if (value > MAX_WINDOW) throw new SpdyError("Cannot widen SPDY window: it passes 2^31 - 1 bytes");
    const delta = value - peerInitialWindow;
    peerInitialWindow = value;
    for (const core of streams.values()) core.widen(delta, MAX_WINDOW);
  }

  /** Control frames that the peer provokes; they wait in memory, so there is an end to them. */
  function answer(frame: Buffer): void {
    transport.write(frame);
    if (transport.writableLength > MAX_QUEUED_ANSWERS + 16 * windowBytes) {
      throw new SpdyError("Cannot answer SPDY peer: it asks without reading the answers");
    }
  }

  /** Streams that have something to send take turns: the first of this round is the last of the next. */
  function pumpAll(): void {
    for (const [id, core] of Array.from(streams)) {
      if (transport.writableNeedDrain) return;
      if (core.pump() && streams.has(id)) {
        streams.delete(id);
        streams.set(id, core);
      }
    }
  }

  /** After the peer's GOAWAY nothing new begins: the last stream's end is the session's. */
  function closeIfDone(): void {
    if (goneAway && streams.size === 0) void session.close();
  }

  function isLocal(streamId: number): boolean {
    return streamId % 2 === nextStreamId % 2;
  }

  function finish(error: SpdyError | undefined, { graceful = false }: { readonly graceful?: boolean } = {}): void {
    if (ended) return;
    ended = true;
    const over = error ?? new SpdyError("Cannot use SPDY session: it is closed, wanted an open one");
    for (const waiting of [...opening.values(), ...pings.values()]) waiting.reject(over);
    for (const core of streams.values()) core.resetByPeer(RESET.cancel); // S4
    streams.clear();
    overfull.clear();
    transport.resume(); // what still comes is dropped, so that the peer's end is seen
    if (graceful) transport.end();
    else transport.destroy();
    closed.resolve(error);
  }
}
