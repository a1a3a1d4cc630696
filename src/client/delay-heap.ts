import type { Instant } from "#base/clock.ts";

/** Keys by due time; several times for one key keep the earliest. All operations cost O(log n). */
export interface DelayHeap<K> {
  add(key: K, due: Instant): void;
  /** The earliest due time, or undefined when empty. */
  earliest(): Instant | undefined;
  /** Removes and returns one key that is due, or undefined. */
  takeDue(now: Instant): K | undefined;
}

export function createDelayHeap<K>(): DelayHeap<K> {
  const heap: { readonly key: K; readonly due: Instant }[] = [];
  const current = new Map<K, Instant>(); // entries of `heap` that differ from it are outdated

  return {
    add(key, due) {
      const present = current.get(key);
      if (present !== undefined && present <= due) return;
      current.set(key, due);
      heap.push({ key, due });
      up(heap.length - 1);
    },
    earliest() {
      dropOutdated();
      return heap[0]?.due;
    },
    takeDue(now) {
      dropOutdated();
      const top = heap[0];
      if (top === undefined || top.due > now) return undefined;
      current.delete(top.key);
      removeTop();
      return top.key;
    },
  };

  function dropOutdated(): void {
    for (let top = heap[0]; top !== undefined && current.get(top.key) !== top.due; top = heap[0]) removeTop();
  }

  function removeTop(): void {
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    down(0);
  }

  function due(index: number): Instant {
    return heap[index]?.due ?? Number.POSITIVE_INFINITY;
  }

  function swap(a: number, b: number): void {
    const [x, y] = [heap[a], heap[b]];
    if (x === undefined || y === undefined) return;
    heap[a] = y;
    heap[b] = x;
  }

  function up(index: number): void {
    for (let at = index; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (due(parent) <= due(at)) return;
      swap(at, parent);
      at = parent;
    }
  }

  function down(index: number): void {
    for (let at = index; ; ) {
      const left = 2 * at + 1;
      const child = due(left + 1) < due(left) ? left + 1 : left;
      if (due(at) <= due(child)) return;
      swap(at, child);
      at = child;
    }
  }
}
