import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Key, prefixRange } from "./contract.ts";
import { compareKeys } from "./key-order.ts";
import { createSortedList } from "./sorted-list.ts";

const text = fc.string({
  unit: fc.constantFrom("a", "b", "/", "\u007f", "é", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}"),
  maxLength: 4,
});
const bytes = (key: string) => Buffer.from(key);

test("compareKeys() orders as UTF-8 bytes do", () => {
  fc.assert(fc.property(text, text, (a, b) => Math.sign(compareKeys(a, b)) === Buffer.compare(bytes(a), bytes(b))));
});

test("prefixRange() holds exactly the keys that begin with the prefix", () => {
  fc.assert(
    fc.property(text, text, fc.boolean(), (prefix, other, joined) => {
      const key = joined ? prefix + other : other;
      const { from, to } = prefixRange(prefix);
      const inRange = compareKeys(from, key) <= 0 && (to === undefined || compareKeys(key, to) < 0);
      return inRange === bytes(key).subarray(0, bytes(prefix).length).equals(bytes(prefix));
    }),
  );
});

test("createSortedList() holds what a sorted array would, through insertions and deletions at every size", () => {
  const keys = Array.from({ length: 5000 }, (_, i) => `/k/${(i * 7919) % 5000}` as Key);
  for (const initial of [0, 1, 700, 2500]) {
    const expected = new Map<string, { key: Key; n: number }>();
    for (const [n, key] of keys.slice(0, initial).entries()) expected.set(key, { key, n });
    const list = createSortedList([...expected.values()].sort((a, b) => compareKeys(a.key, b.key)));
    check();
    for (const [n, key] of keys.entries()) {
      list.set({ key, n });
      expected.set(key, { key, n });
      const gone = n % 3 === 0 ? (keys[(n * 31) % 5000] ?? "") : "/none";
      expect(list.delete(gone)).toBe(expected.delete(gone));
      if (n % 911 === 0) check();
    }
    check();
    for (const key of keys) expect(list.delete(key)).toBe(expected.delete(key));
    check();

    function check() {
      const sorted = [...expected.values()].sort((a, b) => Buffer.compare(bytes(a.key), bytes(b.key)));
      expect(list.size).toBe(sorted.length);
      expect(list.slice("", undefined)).toEqual(sorted);
      for (const [from, to] of [
        ["/k/2", "/k/3"],
        ["/k/4999", undefined],
        ["/k/1234", "/k/1234"],
        ["/k/3", "/k/2"],
        ["/z", undefined],
      ] as const) {
        const inside = sorted.filter(({ key }) => key >= from && (to === undefined || key < to));
        expect(list.slice(from, to)).toEqual(inside);
        expect(list.slice(from, to, 7)).toEqual(inside.slice(0, 7));
        expect(list.count(from, to)).toBe(inside.length);
      }
    }
  }
});
