const encoder = new TextEncoder();
const COMMA = encoder.encode(",");

/** `{"kind":"Pod","apiVersion":"v1",`: how the canonical JSON of every object of a kind begins. */
export function objectHead(kind: string, apiVersion: string): Uint8Array {
  return encoder.encode(`{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},`);
}

export interface ListHead {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: object;
}

/**
 * A list made of its items' bytes. Items of built-in lists carry no kind and apiVersion, as upstream writes them: where an item begins
 * with `itemHead`, that is cut off.
 */
export function spliceList(head: ListHead, items: readonly Uint8Array[], itemHead: Uint8Array | undefined): Buffer {
  const open = encoder.encode(
    `{"kind":${JSON.stringify(head.kind)},"apiVersion":${JSON.stringify(head.apiVersion)},"metadata":${JSON.stringify(head.metadata)},"items":[`,
  );
  const close = encoder.encode("]}\n");
  const skip = itemHead === undefined ? 0 : itemHead.length - 1;
  let size = open.length + close.length + Math.max(0, items.length - 1);
  for (const item of items) size += item.length - skip;
  const out = Buffer.allocUnsafe(size);
  out.set(open);
  let at = open.length;
  for (const [i, item] of items.entries()) {
    if (i > 0) {
      out.set(COMMA, at);
      at += 1;
    }
    if (skip === 0) {
      out.set(item, at);
      at += item.length;
    } else {
      out[at] = 0x7b;
      out.set(item.subarray(skip + 1), at + 1);
      at += item.length - skip;
    }
  }
  out.set(close, at);
  return out;
}

/** One line of a JSON watch. */
export function frameEvent(type: string, object: Uint8Array): Buffer {
  const open = `{"type":"${type}","object":`;
  const out = Buffer.allocUnsafe(open.length + object.length + 2);
  out.write(open, 0, "latin1");
  out.set(object, open.length);
  out[out.length - 2] = 0x7d;
  out[out.length - 1] = 0x0a;
  return out;
}
