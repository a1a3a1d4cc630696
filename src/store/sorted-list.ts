import { compareKeys } from "./key-order.ts";

export interface Keyed {
  readonly key: string;
}

/**
 * Items ordered by key bytes, in arrays of bounded length: an insertion moves at most one array's worth of pointers, a range
 * costs its answer plus two binary searches, a count costs the number of arrays.
 */
export interface SortedList<T extends Keyed> {
  readonly size: number;
  /** Inserts, or replaces the item that has the same key. */
  set(item: T): void;
  delete(key: string): boolean;
  /** Items with `from` <= key < `to`, at most `limit` of them. */
  slice(from: string, to: string | undefined, limit?: number): T[];
  count(from: string, to: string | undefined): number;
}

const MAX_CHUNK = 512;

/** `items`, when given, are sorted already and become the list's. */
export function createSortedList<T extends Keyed>(items: readonly T[] = []): SortedList<T> {
  const chunks: T[][] = []; // never an empty one
  for (let i = 0; i < items.length; i += MAX_CHUNK / 2) chunks.push(items.slice(i, i + MAX_CHUNK / 2));
  let size = items.length;

  return {
    get size() {
      return size;
    },
    set(item) {
      const at = chunkOf(item.key);
      const chunk = chunks[at];
      if (chunk === undefined) {
        chunks.push([item]);
        size = 1;
        return;
      }
      const index = lowerBound(chunk, item.key);
      if (chunk[index]?.key === item.key) {
        chunk[index] = item;
        return;
      }
      if (index === chunk.length) chunk.push(item);
      else chunk.splice(index, 0, item);
      size++;
      if (chunk.length > MAX_CHUNK) {
        // Keys that come in ascending order leave full arrays behind, others leave halves.
        const keep = index === chunk.length - 1 ? MAX_CHUNK : MAX_CHUNK / 2;
        chunks.splice(at + 1, 0, chunk.splice(keep));
      }
    },
    delete(key) {
      const at = chunkOf(key);
      const chunk = chunks[at];
      if (chunk === undefined) return false;
      const index = lowerBound(chunk, key);
      if (chunk[index]?.key !== key) return false;
      chunk.splice(index, 1);
      size--;
      if (chunk.length === 0) chunks.splice(at, 1);
      return true;
    },
    slice(from, to, limit = Infinity) {
      const found: T[] = [];
      let at = chunkOf(from);
      let index = lowerBound(chunks[at] ?? [], from);
      for (; at < chunks.length && found.length < limit; at++, index = 0) {
        const chunk = chunks[at] ?? [];
        const end = endIn(chunk, to);
        for (; index < end && found.length < limit; index++) {
          const item = chunk[index];
          if (item !== undefined) found.push(item);
        }
        if (end < chunk.length) break;
      }
      return found;
    },
    count(from, to) {
      let at = chunkOf(from);
      let index = lowerBound(chunks[at] ?? [], from);
      let count = 0;
      for (; at < chunks.length; at++, index = 0) {
        const chunk = chunks[at] ?? [];
        const end = endIn(chunk, to);
        count += Math.max(0, end - index);
        if (end < chunk.length) break;
      }
      return count;
    },
  };

  /** The last array that begins at or before `key`, or the first. */
  function chunkOf(key: string): number {
    let low = 0;
    let high = chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = chunks[middle]?.[0];
      if (first !== undefined && compareKeys(first.key, key) <= 0) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** Where the range that ends before `to` ends in `chunk`. */
function endIn(chunk: readonly Keyed[], to: string | undefined): number {
  const last = chunk[chunk.length - 1];
  return to === undefined || last === undefined || compareKeys(last.key, to) < 0 ? chunk.length : lowerBound(chunk, to);
}

/** The index of the first item whose key is `key` or comes after it. */
function lowerBound(chunk: readonly Keyed[], key: string): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = chunk[middle];
    if (item !== undefined && compareKeys(item.key, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
