import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyJsonPatch } from "./json.ts";
import { applyMergePatch, createMergePatch } from "./merge.ts";
import { PatchError } from "./patch-error.ts";

const json = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: "small" }, fc.constant(null), fc.boolean(), fc.integer(), fc.string(), tie("list"), tie("object")),
  list: fc.array(tie("value"), { maxLength: 3 }),
  object: fc.dictionary(fc.constantFrom("a", "b", "c", "__proto__"), tie("value"), { maxKeys: 3 }),
}));
const noNulls = (value: unknown): unknown => JSON.parse(JSON.stringify(value), (_, item: unknown) => (item === null ? 0 : item)) as unknown;

describe("applyMergePatch()", () => {
  test.each([
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"],
    ],
    [{ a: "foo" }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])("RFC 7386, appendix A: %j + %j", (target, patch, result) => {
    expect(applyMergePatch(target, patch)).toEqual(result);
  });

  test("undoes nothing that createMergePatch() made: patching before gives after", () => {
    fc.assert(
      fc.property(json.object, json.object, (a, b) => {
        const [before, after] = [noNulls(a), noNulls(b)];
        const patch = createMergePatch(before, after);
        expect(patch === undefined ? before : applyMergePatch(before, patch)).toEqual(after);
      }),
    );
  });

  test("is idempotent and changes no input", () => {
    fc.assert(
      fc.property(json.object, json.object, (target, patch) => {
        const texts = [JSON.stringify(target), JSON.stringify(patch)];
        const once = applyMergePatch(target, patch);
        expect(applyMergePatch(once, patch)).toEqual(once);
        expect([JSON.stringify(target), JSON.stringify(patch)]).toEqual(texts);
      }),
    );
  });

  test("takes __proto__ as a member like any other", () => {
    const result = applyMergePatch({}, JSON.parse('{"__proto__":{"x":1}}')) as Record<string, unknown>;
    expect(result["x"]).toBeUndefined();
    expect(JSON.stringify(result)).toBe('{"__proto__":{"x":1}}');
  });
});

describe("applyJsonPatch()", () => {
  const doc = { a: { b: [1, 2, 3] }, "x/y": { "~": 1 } };
  test.each([
    ["adds a member", [{ op: "add", path: "/a/c", value: 1 }], { a: { b: [1, 2, 3], c: 1 } }],
    ["inserts an item", [{ op: "add", path: "/a/b/1", value: 9 }], { a: { b: [1, 9, 2, 3] } }],
    ["appends an item", [{ op: "add", path: "/a/b/-", value: 9 }], { a: { b: [1, 2, 3, 9] } }],
    ["removes", [{ op: "remove", path: "/a/b/0" }], { a: { b: [2, 3] } }],
    ["counts from the end", [{ op: "remove", path: "/a/b/-1" }], { a: { b: [1, 2] } }],
    ["replaces, and adds an absent member", [{ op: "replace", path: "/a/new", value: 1 }], { a: { b: [1, 2, 3], new: 1 } }],
    ["moves", [{ op: "move", from: "/a/b", path: "/c" }], { a: {}, c: [1, 2, 3] }],
    ["copies", [{ op: "copy", from: "/a/b/0", path: "/a/b/-" }], { a: { b: [1, 2, 3, 1] } }],
    ["unescapes", [{ op: "replace", path: "/x~1y/~0", value: 2 }], { "x/y": { "~": 2 } }],
    ["tests deeply", [{ op: "test", path: "/a", value: { b: [1, 2, 3] } }], {}],
    ["tests an absent member against null", [{ op: "test", path: "/zzz", value: null }], {}],
  ])("%s", (_, patch, expected) => {
    const before = JSON.stringify(doc);
    expect(applyJsonPatch(doc, patch)).toEqual({ ...doc, ...expected });
    expect(JSON.stringify(doc)).toBe(before);
  });

  test.each([
    [[{ op: "test", path: "/a/b/0", value: 2 }], "unprocessable", "testing value /a/b/0 failed: test failed"],
    [
      [{ op: "remove", path: "/a/zzz" }],
      "unprocessable",
      "error in remove for path: '/a/zzz': Unable to remove nonexistent key: zzz: missing value",
    ],
    [[{ op: "add", path: "/q/r", value: 1 }], "unprocessable", 'add operation does not apply: doc is missing path: "/q/r": missing value'],
    [
      [{ op: "replace", path: "/q/r", value: 1 }],
      "unprocessable",
      "replace operation does not apply: doc is missing path: /q/r: missing value",
    ],
    [[{ op: "remove", path: "/q/r" }], "unprocessable", 'remove operation does not apply: doc is missing path: "/q/r": missing value'],
    [
      [{ op: "add", path: "/a/b/7", value: 1 }],
      "unprocessable",
      "error in add for path: '/a/b/7': Unable to access invalid index: 7: invalid index referenced",
    ],
    [[{ op: "frob", path: "/a" }], "unprocessable", "Unexpected kind: frob"],
    [[{ op: "add", value: 1 }], "unprocessable", "add operation failed to decode path: operation missing path field: missing value"],
    [{ op: "add" }, "bad", "json: cannot unmarshal object into Go value of type jsonpatch.Patch"],
    [Array.from({ length: 10_001 }, () => ({})), "tooLarge", "The allowed maximum operations in a JSON patch is 10000, got 10001"],
  ])("refuses with upstream's words: %#", (patch, because, message) => {
    let thrown: unknown;
    try {
      applyJsonPatch(doc, patch);
    } catch (cause) {
      thrown = cause;
    }
    expect(thrown).toBeInstanceOf(PatchError);
    expect(thrown).toMatchObject({ because, message });
  });

  test("bounds what copies add", () => {
    const patch = Array.from({ length: 60 }, (_, i) => ({ op: "copy", from: "/a", path: `/a/c${i}` }));
    expect(() => applyJsonPatch(doc, patch)).toThrow(
      /^Unable to complete the copy, the accumulated size increase of copy is \d+, exceeding the limit 3145728$/,
    );
  });
});
