import { describe, expect, test } from "vitest";
import { applyStrategicMergePatch } from "./strategic.ts";

const POD = "io.k8s.api.core.v1.Pod";
const DEPLOYMENT = "io.k8s.api.apps.v1.Deployment";
const patch = (original: unknown, change: unknown, type = POD) => applyStrategicMergePatch(type, original, change);
const containers = (...list: object[]) => ({ spec: { containers: list } });

describe("applyStrategicMergePatch()", () => {
  test("merges lists by their merge key; new items come after, patched ones stay in place", () => {
    expect(
      patch(containers({ name: "a", image: "1" }, { name: "b", image: "1" }), containers({ name: "b", image: "2" }, { name: "c" })),
    ).toEqual(containers({ name: "a", image: "1" }, { name: "b", image: "2" }, { name: "c" }));
  });

  test("deletes an item by $patch: delete", () => {
    expect(patch(containers({ name: "a" }, { name: "b" }), containers({ $patch: "delete", name: "a" }))).toEqual(containers({ name: "b" }));
  });

  test("replaces a list by $patch: replace", () => {
    expect(patch(containers({ name: "a" }, { name: "b" }), containers({ name: "c" }, { $patch: "replace" }))).toEqual(
      containers({ name: "c" }),
    );
  });

  test("replaces or empties a map by $patch", () => {
    const original = { metadata: { labels: { a: "1", b: "2" }, annotations: { x: "1" } } };
    expect(patch(original, { metadata: { labels: { $patch: "replace", c: "3" }, annotations: { $patch: "delete" } } })).toEqual({
      metadata: { labels: { c: "3" }, annotations: {} },
    });
  });

  test("deletes by null, and drops nulls from what it adds", () => {
    expect(patch({ spec: { nodeName: "n" } }, { spec: { nodeName: null, securityContext: { runAsUser: 1, runAsGroup: null } } })).toEqual({
      spec: { securityContext: { runAsUser: 1 } },
    });
  });

  test("merges primitive lists with a merge strategy as sets and deletes from them", () => {
    const original = { metadata: { finalizers: ["a", "b", "c"] } };
    expect(patch(original, { metadata: { finalizers: ["d", "a"] } })).toEqual({ metadata: { finalizers: ["d", "a", "b", "c"] } });
    expect(patch(original, { metadata: { "$deleteFromPrimitiveList/finalizers": ["b"] } })).toEqual({
      metadata: { finalizers: ["a", "c"] },
    });
  });

  test("replaces lists without a merge strategy", () => {
    expect(patch({ spec: { tolerations: [{ key: "a" }] } }, { spec: { tolerations: [{ key: "b" }] } })).toEqual({
      spec: { tolerations: [{ key: "b" }] },
    });
  });

  test("orders items by $setElementOrder, items it does not name by where they were", () => {
    const original = containers({ name: "a" }, { name: "b" }, { name: "server" }, { name: "c" });
    const change = {
      spec: {
        "$setElementOrder/containers": [{ name: "c" }, { name: "a" }, { name: "new" }],
        containers: [{ name: "new" }, { $patch: "delete", name: "b" }],
      },
    };
    expect(patch(original, change)).toEqual(containers({ name: "server" }, { name: "c" }, { name: "a" }, { name: "new" }));
  });

  test("takes $setElementOrder without a patch list as a pure reordering", () => {
    const change = { spec: { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] } };
    expect(patch(containers({ name: "a" }, { name: "b" }), change)).toEqual(containers({ name: "b" }, { name: "a" }));
  });

  test("clears what $retainKeys does not name", () => {
    const original = { spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } } };
    expect(patch(original, { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } }, DEPLOYMENT)).toEqual({
      spec: { strategy: { type: "Recreate" } },
    });
  });

  test("leaves directives of lists that it adds behind", () => {
    const change = {
      spec: { "$setElementOrder/containers": [{ name: "a" }], containers: [{ name: "a", "$setElementOrder/env": [], env: [] }] },
    };
    expect(patch({}, change)).toEqual(containers({ name: "a", env: [] }));
  });

  test("does not change its inputs", () => {
    const original = containers({ name: "a", env: [{ name: "x", value: "1" }] });
    const change = { spec: { "$setElementOrder/containers": [{ name: "a" }], containers: [{ name: "a", env: [{ name: "y" }] }] } };
    const before = JSON.stringify([original, change]);
    patch(original, change);
    expect(JSON.stringify([original, change])).toBe(before);
  });

  test.each([
    [containers({ name: "a" }), containers({ image: "x" }), "map: map[image:x] does not contain declared merge key: name"],
    [containers({ name: "a" }), containers({ $patch: "frob", name: "a" }), "unknown patch type: frob in map: map[$patch:frob name:a]"],
    [containers({ name: "a" }), { spec: { containers: ["a"] } }, "list element types are not identical: [[map[name:a]] [a]]"],
    [{ metadata: { finalizers: ["a"] } }, { metadata: { $deleteFromPrimitiveList: ["a"] } }, "invalid patch format of primitive list"],
    [{ spec: {} }, { spec: { $retainKeys: ["a"], nodeName: "n" } }, "invalid patch format of retainKeys"],
    [
      containers({ name: "a" }, { name: "b" }),
      { spec: { "$setElementOrder/containers": [{ name: "a" }, { name: "b" }], containers: [{ name: "b" }, { name: "a" }] } },
      "The order in patch list:\n[map[name:b] map[name:a]]\n doesn't match $setElementOrder list:\n[map[name:a] map[name:b]]\n",
    ],
    [{}, [], "invalid JSON document"],
  ])("refuses with upstream's words: %#", (original, change, message) => {
    expect(() => patch(original, change)).toThrow(message);
  });
});
