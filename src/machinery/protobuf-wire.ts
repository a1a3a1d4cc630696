/** Bytes that are no protobuf; worded as Go's decoders word it. */
export class ProtobufError extends Error {
  override readonly name = "ProtobufError";
}

export type WireType = 0 | 1 | 2 | 5;

/** Reads one message; every method moves on. Throws ProtobufError where the bytes end too soon. */
export interface WireReader {
  /** The next field, or undefined at the end. */
  next(): { readonly n: number; readonly wire: WireType } | undefined;
  /** Whether all bytes are read. */
  done(): boolean;
  /** As a number; integers beyond 2^53 lose precision. */
  int64(): number;
  double(): number;
  bytes(): Uint8Array;
  string(): string;
  skip(wire: WireType): void;
}

export function createReader(bytes: Uint8Array): WireReader {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;

  return { next, done: () => at >= buffer.length, int64, double, bytes: take, string: () => take().toString("utf8"), skip };

  function next(): { n: number; wire: WireType } | undefined {
    if (at >= buffer.length) return undefined;
    const tag = int64();
    const n = Math.floor(tag / 8);
    const wire = tag % 8;
    if (n < 1 || n > 0x1fffffff) throw new ProtobufError(`proto: illegal tag ${n} (wire type ${wire})`);
    if (wire !== 0 && wire !== 1 && wire !== 2 && wire !== 5) throw new ProtobufError(`proto: illegal wireType ${wire}`);
    return { n, wire };
  }

  function int64(): number {
    let value = 0;
    let scale = 1;
    const start = at;
    for (;;) {
      const byte = buffer[at++];
      if (byte === undefined) throw new ProtobufError("unexpected EOF");
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) break;
      if (at - start >= 10) throw new ProtobufError("proto: integer overflow");
    }
    return at - start > 7 ? wide(start) : value;
  }

  /** The varint at `start`, which may have more than 49 bits or be negative. */
  function wide(start: number): number {
    let value = 0n;
    for (let i = at - 1; i >= start; i--) value = (value << 7n) | BigInt((buffer[i] ?? 0) & 0x7f);
    return Number(BigInt.asIntN(64, value));
  }

  function double(): number {
    if (at + 8 > buffer.length) throw new ProtobufError("unexpected EOF");
    at += 8;
    return buffer.readDoubleLE(at - 8);
  }

  function take(): Buffer {
    const length = int64();
    if (length < 0) throw new ProtobufError("proto: negative length found during unmarshaling");
    if (at + length > buffer.length) throw new ProtobufError("unexpected EOF");
    at += length;
    return buffer.subarray(at - length, at);
  }

  function skip(wire: WireType): void {
    if (wire === 0) int64();
    else if (wire === 2) take();
    else {
      at += wire === 1 ? 8 : 4;
      if (at > buffer.length) throw new ProtobufError("unexpected EOF");
    }
  }
}

/**
 * Writes a message from its end to its start, so that the length of what is inside is known when it is written: content first, then
 * its tag; last field first.
 */
export interface WireWriter {
  /** How many bytes there are: the difference of two marks is a length. */
  mark(): number;
  tag(n: number, wire: WireType): void;
  int64(value: number): void;
  double(value: number): void;
  /** Content without length. */
  raw(bytes: Uint8Array): void;
  /** Length and content. */
  bytes(bytes: Uint8Array): void;
  string(text: string): void;
  /** The length of what was written since `mark`, then the tag of the field that holds it. */
  close(mark: number, n: number): void;
  finish(): Uint8Array;
}

export function createWriter(): WireWriter {
  let buffer = Buffer.allocUnsafe(1024);
  let start = buffer.length;

  return { mark, tag, int64, double, raw, bytes, string, close, finish };

  function reserve(size: number): void {
    if (start >= size) return;
    const used = buffer.length - start;
    const grown = Buffer.allocUnsafe(Math.max(buffer.length * 2, used + size));
    buffer.copy(grown, grown.length - used, start);
    start = grown.length - used;
    buffer = grown;
  }

  function mark(): number {
    return buffer.length - start;
  }

  function tag(n: number, wire: WireType): void {
    int64(n * 8 + wire);
  }

  function int64(value: number): void {
    if (value < 0 || value > Number.MAX_SAFE_INTEGER) return wide(BigInt.asUintN(64, BigInt(value)));
    let size = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
    reserve(size);
    start -= size;
    let rest = value;
    for (let i = 0; i < size; i++) {
      buffer[start + i] = (rest % 128) | (i < size - 1 ? 0x80 : 0);
      rest = Math.floor(rest / 128);
    }
  }

  function wide(value: bigint): void {
    const digits: number[] = [];
    for (let rest = value; ; rest >>= 7n) {
      digits.push(Number(rest & 0x7fn) | (rest >= 128n ? 0x80 : 0));
      if (rest < 128n) break;
    }
    raw(Uint8Array.from(digits));
  }

  function double(value: number): void {
    reserve(8);
    start -= 8;
    buffer.writeDoubleLE(value, start);
  }

  function raw(content: Uint8Array): void {
    reserve(content.length);
    start -= content.length;
    buffer.set(content, start);
  }

  function bytes(content: Uint8Array): void {
    raw(content);
    int64(content.length);
  }

  function string(text: string): void {
    const size = Buffer.byteLength(text);
    reserve(size);
    start -= size;
    buffer.write(text, start, size, "utf8");
    int64(size);
  }

  function close(since: number, n: number): void {
    int64(mark() - since);
    tag(n, 2);
  }

  function finish(): Uint8Array {
    return buffer.subarray(start);
  }
}
