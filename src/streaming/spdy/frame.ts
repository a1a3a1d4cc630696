import { SpdyError } from "./error.ts";

export const SPDY_VERSION = 3;

/** Types of control frames. */
export const FRAME = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

/** FIN of SYN_STREAM, SYN_REPLY, HEADERS and DATA frames. */
export const FLAG_FIN = 1;
/** UNIDIRECTIONAL of SYN_STREAM. */
export const FLAG_UNIDIRECTIONAL = 2;
export const SETTING_INITIAL_WINDOW_SIZE = 7;

const MAX_STREAM_ID = 0x7fffffff;

/** What a peer sent. Header blocks are still compressed: both ends must take all of them through their codec in order. */
export type Frame =
  | {
      readonly type: "synStream";
      readonly streamId: number;
      readonly fin: boolean;
      readonly unidirectional: boolean;
      readonly block: Buffer;
    }
  | { readonly type: "synReply"; readonly streamId: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: "headers"; readonly streamId: number; readonly fin: boolean; readonly block: Buffer }
  | { readonly type: "rstStream"; readonly streamId: number; readonly code: number }
  | { readonly type: "settings"; readonly entries: readonly { readonly id: number; readonly value: number }[] }
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "goAway"; readonly lastStreamId: number; readonly code: number }
  | { readonly type: "windowUpdate"; readonly streamId: number; readonly delta: number }
  /** A part of a DATA frame as it arrived: `fin` is set on the last part of a frame that carried FIN. */
  | { readonly type: "data"; readonly streamId: number; readonly fin: boolean; readonly bytes: Buffer };

/** Cuts a byte stream into frames. Throws SpdyError at what no peer may send; after that it must not be used again. */
export interface FrameParser {
  push(chunk: Buffer): Generator<Frame, void>;
}

/**
 * Payloads of DATA frames are passed on as they come, so that a frame of 16 MiB costs no memory; control frames longer than
 * `maxControlBytes` are refused by their header. Control frames of unknown type are skipped, as the protocol demands.
 */
export function createFrameParser({ maxControlBytes = 64 * 1024 }: { readonly maxControlBytes?: number } = {}): FrameParser {
  let pending: Buffer = Buffer.alloc(0);
  let dataFrame: { readonly streamId: number; readonly fin: boolean; left: number } | undefined;
  return { push };

  function* push(chunk: Buffer): Generator<Frame, void> {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      if (dataFrame !== undefined) {
        if (pending.length === 0 && dataFrame.left > 0) return;
        const { streamId } = dataFrame;
        const bytes = pending.subarray(0, dataFrame.left);
        pending = pending.subarray(bytes.length);
        dataFrame.left -= bytes.length;
        const last = dataFrame.left === 0;
        const fin = last && dataFrame.fin;
        if (last) dataFrame = undefined;
        yield { type: "data", streamId, fin, bytes };
        continue;
      }
      if (pending.length < 8) return;
      const first = pending.readUInt32BE(0);
      const flags = pending.readUInt8(4);
      const length = pending.readUIntBE(5, 3);
      if (first >>> 31 === 0) {
        pending = pending.subarray(8);
        dataFrame = { streamId: first, fin: (flags & FLAG_FIN) !== 0, left: length };
        continue;
      }
      const version = (first >>> 16) & 0x7fff;
      if (version !== SPDY_VERSION) throw new SpdyError(`Cannot read SPDY frame: version is ${version}, wanted ${SPDY_VERSION}`);
      if (length > maxControlBytes) {
        throw new SpdyError(`Cannot read SPDY frame: control frame has ${length} bytes, wanted at most ${maxControlBytes}`);
      }
      if (pending.length < 8 + length) return;
      const frame = parseControlFrame(first & 0xffff, flags, pending.subarray(8, 8 + length));
      pending = pending.subarray(8 + length);
      if (frame !== undefined) yield frame;
    }
  }
}

function parseControlFrame(type: number, flags: number, body: Buffer): Frame | undefined {
  const fin = (flags & FLAG_FIN) !== 0;
  switch (type) {
    case FRAME.synStream: {
      expectBytes("SYN_STREAM", body, 10);
      const unidirectional = (flags & FLAG_UNIDIRECTIONAL) !== 0;
      return { type: "synStream", streamId: streamIdAt(body, 0), fin, unidirectional, block: body.subarray(10) };
    }
    case FRAME.synReply:
      expectBytes("SYN_REPLY", body, 4);
      return { type: "synReply", streamId: streamIdAt(body, 0), fin, block: body.subarray(4) };
    case FRAME.headers:
      expectBytes("HEADERS", body, 4);
      return { type: "headers", streamId: streamIdAt(body, 0), fin, block: body.subarray(4) };
    case FRAME.rstStream:
      expectBytes("RST_STREAM", body, 8);
      return { type: "rstStream", streamId: streamIdAt(body, 0), code: body.readUInt32BE(4) };
    case FRAME.settings: {
      expectBytes("SETTINGS", body, 4);
      const count = body.readUInt32BE(0);
      if (body.length !== 4 + 8 * count) throw new SpdyError(`Cannot read SPDY frame: SETTINGS of ${count} has ${body.length} bytes`);
      const entries = Array.from({ length: count }, (_, i) => ({
        id: body.readUIntBE(5 + 8 * i, 3),
        value: body.readUInt32BE(8 + 8 * i),
      }));
      return { type: "settings", entries };
    }
    case FRAME.ping:
      expectBytes("PING", body, 4);
      return { type: "ping", id: body.readUInt32BE(0) };
    case FRAME.goAway:
      expectBytes("GOAWAY", body, 8);
      return { type: "goAway", lastStreamId: streamIdAt(body, 0), code: body.readUInt32BE(4) };
    case FRAME.windowUpdate:
      expectBytes("WINDOW_UPDATE", body, 8);
      return { type: "windowUpdate", streamId: streamIdAt(body, 0), delta: streamIdAt(body, 4) };
    default:
      return undefined;
  }
}

function expectBytes(name: string, body: Buffer, least: number): void {
  if (body.length < least) throw new SpdyError(`Cannot read SPDY frame: ${name} has ${body.length} bytes, wanted ${least}`);
}

/** 31 bits; the first bit is reserved. */
function streamIdAt(body: Buffer, offset: number): number {
  return body.readUInt32BE(offset) & MAX_STREAM_ID;
}

export function formatSynStream(streamId: number, block: Buffer, { fin = false }: { readonly fin?: boolean } = {}): Buffer {
  const frame = controlFrame(FRAME.synStream, fin ? FLAG_FIN : 0, 10 + block.length);
  frame.writeUInt32BE(streamId, 8);
  block.copy(frame, 18);
  return frame;
}

export function formatSynReply(streamId: number, block: Buffer): Buffer {
  const frame = controlFrame(FRAME.synReply, 0, 4 + block.length);
  frame.writeUInt32BE(streamId, 8);
  block.copy(frame, 12);
  return frame;
}

export function formatRstStream(streamId: number, code: number): Buffer {
  return twoWords(FRAME.rstStream, streamId, code);
}

export function formatGoAway(lastStreamId: number, code: number): Buffer {
  return twoWords(FRAME.goAway, lastStreamId, code);
}

export function formatWindowUpdate(streamId: number, delta: number): Buffer {
  return twoWords(FRAME.windowUpdate, streamId, delta);
}

export function formatPing(id: number): Buffer {
  const frame = controlFrame(FRAME.ping, 0, 4);
  frame.writeUInt32BE(id, 8);
  return frame;
}

export function formatSettings(entries: readonly { readonly id: number; readonly value: number }[]): Buffer {
  const frame = controlFrame(FRAME.settings, 0, 4 + 8 * entries.length);
  frame.writeUInt32BE(entries.length, 8);
  for (const [i, { id, value }] of entries.entries()) {
    frame.writeUInt32BE(id, 12 + 8 * i);
    frame.writeUInt32BE(value, 16 + 8 * i);
  }
  return frame;
}

/** The first eight bytes of a DATA frame; its payload follows. */
export function formatDataHeader(streamId: number, length: number, { fin = false }: { readonly fin?: boolean } = {}): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt8(fin ? FLAG_FIN : 0, 4);
  header.writeUIntBE(length, 5, 3);
  return header;
}

function twoWords(type: number, first: number, second: number): Buffer {
  const frame = controlFrame(type, 0, 8);
  frame.writeUInt32BE(first, 8);
  frame.writeUInt32BE(second, 12);
  return frame;
}

function controlFrame(type: number, flags: number, length: number): Buffer {
  const frame = Buffer.alloc(8 + length);
  frame.writeUInt16BE(0x8000 | SPDY_VERSION, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt8(flags, 4);
  frame.writeUIntBE(length, 5, 3);
  return frame;
}
