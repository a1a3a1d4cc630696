import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FieldSet, printPaths, setToFields } from "./field-set.ts";
import { LEAF_SCHEMA, type MergeSchema, tableObjectSchema } from "./merge-schema.ts";
import { compareValues } from "./typed-merge.ts";

const named: MergeSchema = { is: "list", keys: ["name"], keyDefault: () => undefined, item: mapOf(LEAF_SCHEMA) };
const set: MergeSchema = { is: "list", keys: [], keyDefault: () => undefined, item: LEAF_SCHEMA };
const root: MergeSchema = {
  is: "map",
  declares: () => true,
  field: (name) => ({ items: named, set, deep: mapOf(mapOf(LEAF_SCHEMA)), leaf: LEAF_SCHEMA })[name],
};

function mapOf(element: MergeSchema): MergeSchema {
  return { is: "map", declares: () => false, field: () => element };
}

describe("compareValues()", () => {
  test("owns items that cannot be told apart as one", () => {
    const { added } = compareValues(root, {}, { items: [{ name: "a", x: 1 }, { name: "b" }, { name: "a", x: 2 }, { name: "a" }] });
    expect(printPaths(added)).toEqual([".items", '.items[name="a"]', '.items[name="b"]', '.items[name="b"].name']);
  });

  test("adds from nothing exactly what it removes towards nothing", () => {
    const text = fc.constantFrom("a", "b", "c", "__proto__");
    const leaf = fc.constantFrom<unknown>(0, "", null, {}, [], [1], { a: {} });
    const item = fc.dictionary(text, leaf).chain((item) => text.map((name) => ({ ...item, name })));
    const value = fc.record(
      {
        items: fc.oneof(
          fc.array(item),
          leaf.filter((one) => !(Array.isArray(one) && one.length > 0)),
        ),
        set: fc.array(text),
        deep: fc.dictionary(text, fc.oneof(fc.dictionary(text, leaf), leaf)),
        leaf,
        undeclared: leaf,
      },
      { requiredKeys: [] },
    );
    const paths = (fields: FieldSet) => [fields.member, printPaths(fields), JSON.stringify(setToFields(fields))];
    fc.assert(
      fc.property(value, fc.constantFrom<unknown>(undefined, {}, { items: [] }, { deep: {}, set: [] }), (object, empty) => {
        const [from, towards] = [compareValues(root, empty, object), compareValues(root, object, empty)];
        expect([paths(from.added), paths(from.removed)]).toEqual([paths(towards.removed), paths(towards.added)]);
      }),
      { numRuns: 500 },
    );
  });

  test("what an empty object of a kind is compared with stays empty", () => {
    const { root, empty } = tableObjectSchema("io.k8s.api.core.v1.Pod");
    const before = JSON.stringify(empty());
    compareValues(root, empty(), { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "a" }] } });
    expect(JSON.stringify(empty())).toBe(before);
  });
});
