import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { SPDY_DICTIONARY, SPDY_DICTIONARY_ID } from "./dictionary.ts";
import { SpdyError } from "./error.ts";

/** Header names in lower case; several values of one name are joined by NUL. */
export type SpdyHeaders = ReadonlyMap<string, string>;

/** Compresses the header blocks of one direction of one session. */
export interface HeaderCompressor {
  compress(headers: SpdyHeaders): Buffer;
}

/** Decompresses the header blocks of one direction of one session, all of them and in order. */
export interface HeaderDecompressor {
  /** Throws SpdyError at what is no header block or is longer than the limit. */
  decompress(block: Buffer): SpdyHeaders;
}

/*
 * All header blocks of one direction form one zlib stream, flushed (Z_SYNC_FLUSH) after each block. A flushed deflate stream
 * continues at a byte boundary with nothing carried over but its window, the last 32 KiB of text. So each block is taken on
 * its own, with the window as its dictionary: no stream object that must be fed asynchronously or closed.
 */
const WINDOW_BYTES = 32 * 1024;
const FLUSH = { finishFlush: constants.Z_SYNC_FLUSH } as const;

export function createHeaderCompressor(): HeaderCompressor {
  let window: Buffer = SPDY_DICTIONARY;
  let begun = false;
  return {
    compress(headers) {
      const text = formatHeaders(headers);
      const block = deflateRawSync(text, { ...FLUSH, dictionary: window });
      window = slide(window, text);
      if (begun) return block;
      begun = true;
      return Buffer.concat([zlibHeader(), block]);
    },
  };
}

export function createHeaderDecompressor({ maxBytes = 64 * 1024 }: { readonly maxBytes?: number } = {}): HeaderDecompressor {
  let window: Buffer | undefined;
  return {
    decompress(block) {
      let rest = block;
      if (window === undefined) {
        const { dictionary, headerBytes } = parseZlibHeader(block);
        window = dictionary ? SPDY_DICTIONARY : Buffer.alloc(0);
        rest = block.subarray(headerBytes);
      }
      const text = inflate(rest, window, maxBytes);
      window = slide(window, text);
      return parseHeaders(text);
    },
  };
}

function inflate(block: Buffer, window: Buffer, maxBytes: number): Buffer {
  try {
    const dictionary = window.length > 0 ? { dictionary: window } : {};
    return inflateRawSync(block, { ...FLUSH, ...dictionary, maxOutputLength: maxBytes });
  } catch (cause) {
    const tooLong = cause instanceof RangeError;
    const found = tooLong ? `it has more than ${maxBytes} bytes` : cause instanceof Error ? cause.message : String(cause);
    throw new SpdyError(`Cannot read SPDY headers: ${found}`, { cause });
  }
}

function slide(window: Buffer, text: Buffer): Buffer {
  return Buffer.concat([window, text]).subarray(-WINDOW_BYTES);
}

/** Method deflate, window of 32 KiB, preset dictionary. */
function zlibHeader(): Buffer {
  const header = Buffer.alloc(6);
  header.writeUInt8(0x78, 0);
  header.writeUInt8(0xbb, 1);
  header.writeUInt32BE(SPDY_DICTIONARY_ID, 2);
  return header;
}

function parseZlibHeader(block: Buffer): { readonly dictionary: boolean; readonly headerBytes: number } {
  const sum = block.length >= 2 ? block.readUInt16BE(0) : 1;
  if (sum % 31 !== 0 || ((sum >>> 8) & 0x0f) !== 8) throw new SpdyError("Cannot read SPDY headers: no zlib header");
  if ((sum & 0x20) === 0) return { dictionary: false, headerBytes: 2 };
  const id = block.length >= 6 ? block.readUInt32BE(2) : 0;
  if (id !== SPDY_DICTIONARY_ID) throw new SpdyError(`Cannot read SPDY headers: dictionary ${id.toString(16)} is unknown`);
  return { dictionary: true, headerBytes: 6 };
}

function formatHeaders(headers: SpdyHeaders): Buffer {
  const parts: Buffer[] = [uint32(headers.size)];
  for (const [name, value] of headers) {
    for (const text of [name.toLowerCase(), value]) {
      const bytes = Buffer.from(text);
      parts.push(uint32(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

function parseHeaders(text: Buffer): SpdyHeaders {
  const headers = new Map<string, string>();
  let offset = 0;
  const count = number();
  for (let i = 0; i < count; i++) {
    const name = string().toLowerCase();
    if (name === "") throw new SpdyError("Cannot read SPDY headers: a name is empty");
    headers.set(name, string());
  }
  return headers;

  function number(): number {
    if (offset + 4 > text.length) throw new SpdyError(`Cannot read SPDY headers: they end at byte ${text.length}, wanted more`);
    const value = text.readUInt32BE(offset);
    offset += 4;
    return value;
  }
  function string(): string {
    const length = number();
    if (offset + length > text.length) throw new SpdyError(`Cannot read SPDY headers: they end at byte ${text.length}, wanted more`);
    const value = text.toString("utf8", offset, offset + length);
    offset += length;
    return value;
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
