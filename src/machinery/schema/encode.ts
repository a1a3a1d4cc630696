import type { KubeObject } from "#machinery/object.ts";

const METADATA = Buffer.from('"metadata":{');
const CLOSE = 0x7d;
const encoder = new TextEncoder();

/**
 * Canonical JSON of an object: `kind`, `apiVersion`, `metadata`, then the rest in the object's own order. Leaves out
 * `metadata.resourceVersion`: it belongs to the revision that the bytes are stored under (see withResourceVersion).
 */
export function encodeObject(object: KubeObject): Uint8Array {
  return encoder.encode(encodeText(object));
}

/** The same as text. */
export function encodeText(object: KubeObject): string {
  const { kind, apiVersion, metadata, ...rest } = object;
  const { resourceVersion: _, ...meta } = metadata;
  const head = `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},"metadata":${JSON.stringify(meta)}`;
  const tail = JSON.stringify(rest);
  return tail === "{}" ? `${head}}` : `${head},${tail.slice(1)}`;
}

/**
 * The bytes of encodeObject with the resource version put first in `metadata`, in one copy. `version` needs no escaping. `allocate` gives
 * the memory for it, a buffer of its own where it is left out.
 */
export function withResourceVersion(bytes: Uint8Array, version: string, allocate: (length: number) => Buffer = own): Uint8Array {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Neither kind nor apiVersion can hold an unescaped quote, so the first match is the object's own metadata.
  const at = source.indexOf(METADATA) + METADATA.length;
  const member = source[at] === CLOSE ? `"resourceVersion":"${version}"` : `"resourceVersion":"${version}",`;
  const result = allocate(source.length + member.length);
  source.copy(result, 0, 0, at);
  result.write(member, at, "latin1");
  source.copy(result, at + member.length, at);
  return result;
}

/** Not from the shared pool: these bytes stay in a cache, and would keep a whole slab of what lives shortly with them. */
function own(length: number): Buffer {
  return Buffer.allocUnsafeSlow(length);
}
