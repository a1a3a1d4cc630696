import { expect, test } from "vitest";
import { deepEqual, sameJson } from "./deep-equal.ts";
import { child, index, key, valueAt, withValueAt } from "./field-path.ts";

test.each([
  [{ a: 1, b: [1, { c: null }] }, { b: [1, {}], a: 1 }, true],
  [{ a: undefined }, {}, true],
  [null, undefined, true],
  [{ a: 1 }, { a: "1" }, false],
  [[1, 2], [2, 1], false],
  [{}, [], false],
  [{}, { a: 0 }, false],
  [{ a: {} }, {}, false],
])("deepEqual(%j, %j) is %s", (a, b, expected) => {
  expect(deepEqual(a, b)).toBe(expected);
  expect(deepEqual(b, a)).toBe(expected);
});

test.each([
  [{ a: undefined }, {}, true],
  [{ a: null }, {}, false],
  [{ a: null }, { a: null }, true],
  [{ a: [1, { b: "x" }] }, { a: [1, { b: "x" }] }, true],
  [{ a: 1 }, { a: 1, b: 2 }, false],
])("sameJson(%j, %j) is %s", (a, b, expected) => {
  expect(sameJson(a, b)).toBe(expected);
  expect(sameJson(b, a)).toBe(expected);
});

test("field paths are built as upstream prints them", () => {
  expect(key(child(index(child("", "spec"), 0), "labels"), "app")).toBe("spec[0].labels[app]");
});

test("valueAt() follows names and positions and ends quietly", () => {
  const root = { spec: { list: [{ a: 1 }] } };
  expect(valueAt(root, ["spec", "list", 0, "a"])).toBe(1);
  expect(valueAt(root, ["spec", "constructor"])).toBeUndefined();
  expect(valueAt(root, ["spec", "list", "a", "b"])).toBeUndefined();
});

test("withValueAt() copies the way and leaves the rest shared", () => {
  const root = { spec: { a: 1 }, other: {} };
  const next = withValueAt(root, ["spec", "b", "c"], 2) as typeof root;
  expect(next).toEqual({ spec: { a: 1, b: { c: 2 } }, other: {} });
  expect(next.other).toBe(root.other);
  expect(root).toEqual({ spec: { a: 1 }, other: {} });
});
