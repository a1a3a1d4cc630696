import { isPlainObject } from "#machinery/plain.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** The one list that a selectable field looks into: the addresses of a pod. */
const KEPT = Buffer.from('"podIPs":');

/** Grows to the largest object seen; what it holds is read before the next use. */
let scratch = Buffer.allocUnsafe(16 * 1024);

/**
 * The object in canonical bytes with its lists empty, except `podIPs`: labels and the selectable fields, for a fraction of what
 * decodeStored costs, because most of an object is in its lists. Throws SyntaxError for what is no JSON object; of what is inside a
 * left out list only the brackets are checked.
 */
export function decodeSkeleton(bytes: Uint8Array): object {
  const length = copyWithoutLists(bytes);
  const skeleton: unknown = JSON.parse(scratch.toString("utf8", 0, length));
  if (!isPlainObject(skeleton)) throw new SyntaxError("Cannot decode stored bytes: they hold no JSON object");
  return skeleton;
}

/** Fills `scratch` and says how far. */
function copyWithoutLists(bytes: Uint8Array): number {
  if (scratch.length < bytes.length) scratch = Buffer.allocUnsafe(bytes.length * 2);
  const { length } = bytes;
  const to = scratch;
  let end = 0;
  let at = 0;
  while (at < length) {
    const byte = bytes[at] ?? 0;
    if (byte === OPEN_LIST && !keepsList(to, end)) {
      to[end++] = OPEN_LIST;
      to[end++] = CLOSE_LIST;
      at = afterList(bytes, at);
    } else if (byte === QUOTE) {
      const after = afterString(bytes, at + 1);
      while (at < after) to[end++] = bytes[at++] ?? 0;
    } else {
      to[end++] = byte;
      at++;
    }
  }
  return end;
}

function keepsList(copied: Buffer, end: number): boolean {
  let k = KEPT.length;
  for (let i = end; k > 0; ) if (copied[--i] !== KEPT[--k]) return false;
  return true;
}

/** The position after the list that begins at `at`. */
function afterList(bytes: Uint8Array, at: number): number {
  const { length } = bytes;
  let lists = 0;
  let objects = 0;
  while (at < length) {
    const byte = bytes[at++] ?? 0;
    if (byte === QUOTE) at = afterString(bytes, at);
    else if (byte < OPEN_LIST)
      continue; // most of what is outside of texts: digits, commas, colons
    else if (byte === OPEN_LIST) lists++;
    else if (byte === OPEN_OBJECT) objects++;
    else if (byte === CLOSE_OBJECT) objects--;
    else if (byte === CLOSE_LIST && --lists === 0) {
      if (objects !== 0) break;
      return at;
    }
  }
  throw new SyntaxError("Cannot decode stored bytes: a list does not end");
}

/** The position after the string whose text begins at `at`. */
function afterString(bytes: Uint8Array, at: number): number {
  const { length } = bytes;
  while (at < length) {
    const byte = bytes[at++] ?? 0;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
  }
  throw new SyntaxError("Cannot decode stored bytes: a string does not end");
}
