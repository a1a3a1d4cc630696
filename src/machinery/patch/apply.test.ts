import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import type { KubeObject } from "#machinery/object.ts";
import { applyTableDefaults } from "#machinery/schema/defaults.ts";
import { decodeObject } from "#machinery/schema/decode.ts";
import { type Applied, applyConfiguration, trackUpdate, withoutTimestampChange } from "./apply.ts";
import { setOf } from "./field-set.ts";
import { openApiObjectSchema, tableObjectSchema } from "./merge-schema.ts";

const DEPLOYMENT = "io.k8s.api.apps.v1.Deployment";
const SERVICE = "io.k8s.api.core.v1.Service";
const T1 = "2030-01-01T00:00:01Z";
const T2 = "2030-01-01T00:00:02Z";

const writer = (manager: string, now = T1) => ({
  schema: tableObjectSchema(DEPLOYMENT),
  manager,
  apiVersion: "apps/v1",
  subresource: "",
  now,
});
const decode = (typeName: string, value: unknown) => applyTableDefaults(typeName, decodeObject(typeName, value).object);
const nothing = { kind: "Deployment", apiVersion: "apps/v1", metadata: { name: "web", namespace: "default" } };

function deployment(spec: object, metadata: object = {}) {
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace: "default", ...metadata }, spec };
}

function apply(manager: string, live: KubeObject, applied: unknown, options: { force?: boolean; now?: string } = {}): KubeObject {
  const result = applyConfiguration({ ...writer(manager, options.now), live, applied, force: options.force ?? false });
  if (!result.ok) throw result.error;
  return decode(DEPLOYMENT, result.object);
}

function conflictOf(result: Applied) {
  return result.ok ? undefined : result.error.status;
}

describe("applyConfiguration()", () => {
  test("owns exactly what was applied", () => {
    const object = apply("alice", nothing, deployment({ replicas: 2, template: { spec: { containers: [{ name: "a", image: "x" }] } } }));
    expect(object.metadata.managedFields).toEqual([
      {
        manager: "alice",
        operation: "Apply",
        apiVersion: "apps/v1",
        time: T1,
        fieldsType: "FieldsV1",
        fieldsV1: {
          "f:spec": {
            "f:replicas": {},
            "f:template": { "f:spec": { "f:containers": { 'k:{"name":"a"}': { ".": {}, "f:image": {}, "f:name": {} } } } },
          },
        },
      },
    ]);
  });

  test("says who is in the way of a change, in upstream's words", () => {
    const created = decode(DEPLOYMENT, deployment({ replicas: 3 }));
    const live = trackUpdate({ ...writer("kubectl-client-side-apply"), live: undefined, next: created });
    const status = conflictOf(applyConfiguration({ ...writer("alice", T2), live, applied: deployment({ replicas: 5 }), force: false }));
    expect(status).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      reason: "Conflict",
      code: 409,
      message: 'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas',
      details: {
        causes: [
          { reason: "FieldManagerConflict", message: 'conflict with "kubectl-client-side-apply" using apps/v1', field: ".spec.replicas" },
        ],
      },
    });
  });

  test("groups several conflicts by manager", () => {
    const containers = [{ name: "a", image: "x" }];
    const one = apply("bob", nothing, deployment({ replicas: 3, template: { spec: { containers } } }));
    const applied = deployment({ replicas: 5, template: { spec: { containers: [{ name: "a", image: "y" }] } } });
    expect(conflictOf(applyConfiguration({ ...writer("alice"), live: one, applied, force: false }))?.message).toBe(
      'Apply failed with 2 conflicts: conflicts with "bob":\n- .spec.replicas\n- .spec.template.spec.containers[name="a"].image',
    );
  });

  test("takes fields over by force", () => {
    const one = apply("bob", nothing, deployment({ replicas: 3, paused: true }));
    const two = apply("alice", one, deployment({ replicas: 5 }), { force: true, now: T2 });
    expect(two).toMatchObject({ spec: { replicas: 5, paused: true } });
    expect(two.metadata.managedFields?.map(({ manager, fieldsV1 }) => [manager, fieldsV1])).toEqual([
      ["bob", { "f:spec": { "f:paused": {} } }],
      ["alice", { "f:spec": { "f:replicas": {} } }],
    ]);
  });

  test("shares a field that both apply alike", () => {
    const one = apply("bob", nothing, deployment({ replicas: 3 }));
    const two = apply("alice", one, deployment({ replicas: 3 }));
    const three = apply("bob", two, deployment({ paused: true }));
    expect(three).toMatchObject({ spec: { replicas: 3, paused: true } });
  });

  test("removes what the manager applied before and leaves out now, list items and labels too", () => {
    const containers = [
      { name: "a", image: "x", env: [{ name: "E", value: "1" }] },
      { name: "b", image: "x" },
    ];
    const one = apply("alice", nothing, deployment({ replicas: 3, template: { spec: { containers } } }, { labels: { x: "1", y: "2" } }));
    const two = apply(
      "alice",
      one,
      deployment({ template: { spec: { containers: [{ name: "a", image: "x" }] } } }, { labels: { x: "1" } }),
    );
    expect(two.metadata.labels).toEqual({ x: "1" });
    expect(two).toMatchObject({ spec: { template: { spec: { containers: [{ name: "a", image: "x" }] } } } });
    expect(two).not.toHaveProperty("spec.replicas");
    expect(two).not.toHaveProperty("spec.template.spec.containers.0.env");
  });

  test("keeps a field that an updater owns beside the applier", () => {
    const one = apply("alice", nothing, deployment({ replicas: 3 }, { labels: { mine: "1" } }));
    const scaled = trackUpdate({
      ...writer("hpa"),
      live: one,
      next: { ...one, metadata: { ...one.metadata, labels: { mine: "1", theirs: "2" } } },
    });
    const two = apply("alice", scaled, deployment({ replicas: 3 }));
    expect(two.metadata.labels).toEqual({ theirs: "2" });
  });

  test("keeps unowned fields below a struct that it stops applying", () => {
    const live = decode(DEPLOYMENT, deployment({ strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } }, { uid: "u" }));
    const one = apply("alice", live, deployment({ strategy: { type: "RollingUpdate" } }));
    const two = apply("alice", one, deployment({}));
    expect(two).toMatchObject({ spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } } });
  });

  test("gives what an untracked object has to before-first-apply", () => {
    const live = decode(DEPLOYMENT, deployment({ replicas: 3 }, { uid: "u", labels: { a: "1" } }));
    const object = apply("alice", live, deployment({ replicas: 3 }));
    expect(object.metadata.managedFields?.map(({ manager, operation, fieldsV1 }) => [manager, operation, fieldsV1])).toEqual([
      ["alice", "Apply", { "f:spec": { "f:replicas": {} } }],
      ["before-first-apply", "Update", { "f:metadata": { "f:labels": { ".": {}, "f:a": {} } }, "f:spec": { "f:replicas": {} } }],
    ]);
  });

  test("lets kubectl take over from client-side apply without conflict, and keeps its annotation in step", () => {
    const key = "kubectl.kubernetes.io/last-applied-configuration";
    const config = deployment({ replicas: 3 });
    const created = decode(DEPLOYMENT, deployment({ replicas: 3 }, { annotations: { [key]: JSON.stringify(config) } }));
    const live = trackUpdate({ ...writer("kubectl-client-side-apply"), live: undefined, next: created });
    const object = apply("kubectl", live, deployment({ replicas: 4 }), { now: T2 });
    expect(object).toMatchObject({ spec: { replicas: 4 } });
    expect(object.metadata.annotations?.[key]).toContain('"replicas":4');
    const other = applyConfiguration({ ...writer("alice"), live, applied: deployment({ replicas: 4 }), force: false });
    expect(conflictOf(other)?.message).toContain("kubectl-client-side-apply");
  });

  test("keys list items by all their keys, with defaults where they are left out", () => {
    const service = (ports: object[]) => ({ apiVersion: "v1", kind: "Service", metadata: { name: "s" }, spec: { ports } });
    const base = { schema: tableObjectSchema(SERVICE), apiVersion: "v1", subresource: "", now: T1, force: false };
    const live: KubeObject = { apiVersion: "v1", kind: "Service", metadata: { name: "s" } };
    const one = applyConfiguration({ ...base, manager: "a", live, applied: service([{ port: 80, targetPort: 1 }]) });
    if (!one.ok) throw one.error;
    const stored = decode(SERVICE, one.object);
    const two = applyConfiguration({ ...base, manager: "b", live: stored, applied: service([{ port: 80, protocol: "UDP" }]) });
    if (!two.ok) throw two.error;
    expect(decode(SERVICE, two.object)).toMatchObject({
      spec: {
        ports: [
          { protocol: "TCP", port: 80, targetPort: 1 },
          { protocol: "UDP", port: 80, targetPort: 0 },
        ],
      },
    });
  });

  test("puts applied items in the order of the configuration and leaves other items where they were", () => {
    const names = (object: KubeObject) =>
      (object as unknown as { spec: { template: { spec: { containers: { name: string }[] } } } }).spec.template.spec.containers
        .map(({ name }) => name)
        .join("");
    const of = (list: string) => deployment({ template: { spec: { containers: list.split("").map((name) => ({ name, image: "i" })) } } });
    const live = trackUpdate({ ...writer("other"), live: undefined, next: decode(DEPLOYMENT, of("abcd")) });
    expect(names(apply("alice", live, of("db")))).toBe("acdb");
    expect(names(apply("alice", live, of("bd")))).toBe("abcd");
    expect(names(apply("alice", live, of("bxd")))).toBe("abcxd");
    expect(names(apply("alice", live, of("x")))).toBe("abcdx");
  });

  test.each([
    [deployment({ foo: 1 }), ".spec.foo: field not declared in schema"],
    [deployment("x" as never), '.spec: expected map, got "x"'],
    [deployment({}, { labels: ["x"] }), '.metadata.labels: expected map, got ["x"]'],
    [
      deployment({ template: { spec: { containers: [{ image: "x" }] } } }),
      '.spec.template.spec.containers: element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn\'t have default values for any key fields)',
    ],
    [
      deployment({ template: { spec: { containers: [{ name: "a" }, { name: "a" }] } } }),
      '.spec.template.spec.containers: duplicate entries for key [name="a"]',
    ],
  ])("refuses a configuration that does not fit: %#", (applied, text) => {
    expect(() => applyConfiguration({ ...writer("alice"), live: nothing, applied, force: false })).toThrow(
      `failed to create typed patch object (default/web; apps/v1, Kind=Deployment): ${text}`,
    );
  });

  test("refuses managedFields in the configuration", () => {
    const applied = deployment({}, { managedFields: [] });
    expect(() => applyConfiguration({ ...writer("alice"), live: nothing, applied, force: false })).toThrow(
      "metadata.managedFields must be nil",
    );
  });

  test("is idempotent: applying the same again changes nothing, not even a time", () => {
    const label = fc.constantFrom("a", "b", "c", "d");
    const container = fc.record({
      name: label,
      image: fc.constantFrom("x", "y"),
      env: fc.uniqueArray(label).map((names) => names.map((name) => ({ name }))),
    });
    const configuration = fc
      .record({
        replicas: fc.nat(5),
        labels: fc.dictionary(label, label),
        containers: fc.uniqueArray(container, { selector: ({ name }) => name }),
      })
      .map(({ replicas, labels, containers }) => deployment({ replicas, template: { spec: { containers } } }, { labels }));
    fc.assert(
      fc.property(configuration, configuration, (first, second) => {
        const start = apply("alice", nothing, first);
        const once = apply("alice", apply("bob", start, second, { force: true }), first, { force: true, now: T1 });
        const again = applyConfiguration({ ...writer("alice", T2), live: once, applied: first, force: false });
        expect(again.ok && withoutTimestampChange(once, decode(DEPLOYMENT, again.object))).toEqual(once);
      }),
      { numRuns: 60 },
    );
  });
});

describe("trackUpdate()", () => {
  test("records at creation what differs from an empty object, without identity fields", () => {
    const created = decode(DEPLOYMENT, deployment({ replicas: 1, template: { metadata: { labels: { a: "1" } } } }, { labels: { x: "1" } }));
    const object = trackUpdate({ ...writer("kubectl-create"), live: undefined, next: created });
    expect(object.metadata.managedFields).toEqual([
      {
        manager: "kubectl-create",
        operation: "Update",
        apiVersion: "apps/v1",
        time: T1,
        fieldsType: "FieldsV1",
        fieldsV1: {
          "f:metadata": { "f:labels": { ".": {}, "f:x": {} } },
          "f:spec": { "f:replicas": {}, "f:template": { "f:metadata": { "f:labels": { ".": {}, "f:a": {} } } } },
        },
      },
    ]);
  });

  test("moves changed fields to the writer, drops removed ones, and adds to an older entry of the same writer", () => {
    const one = trackUpdate({ ...writer("a"), live: undefined, next: decode(DEPLOYMENT, deployment({ replicas: 1, paused: true })) });
    const { spec } = decode(DEPLOYMENT, deployment({ replicas: 2 })) as unknown as { spec: unknown };
    const changed: KubeObject & { spec: unknown } = { ...one, spec };
    const two = trackUpdate({ ...writer("b", T2), live: one, next: changed });
    const entries = (object: KubeObject) => object.metadata.managedFields?.map(({ manager, time, fieldsV1 }) => [manager, time, fieldsV1]);
    expect(entries(two)).toEqual([["b", T2, { "f:spec": { "f:replicas": {} } }]]);
  });

  test("keeps entries apart by subresource, and ignores fields that the endpoint resets", () => {
    const one = trackUpdate({ ...writer("a"), live: undefined, next: decode(DEPLOYMENT, deployment({ replicas: 1 })) });
    const next = { ...one, spec: { replicas: 9 }, status: { observedGeneration: 4 } } as unknown as KubeObject;
    const two = trackUpdate({ ...writer("a", T2), subresource: "status", resetFields: setOf(["spec"]), live: one, next });
    expect(two.metadata.managedFields?.map(({ manager, subresource, fieldsV1 }) => [manager, subresource, fieldsV1])).toEqual([
      ["a", undefined, { "f:spec": { "f:replicas": {} } }],
      ["a", "status", { "f:status": { "f:observedGeneration": {} } }],
    ]);
  });

  test("leaves an untracked object untracked, and resets on an empty list", () => {
    const live = decode(DEPLOYMENT, deployment({ replicas: 1 }, { uid: "u" }));
    const next = decode(DEPLOYMENT, deployment({ replicas: 2 }, { uid: "u" }));
    expect(trackUpdate({ ...writer("a"), live, next }).metadata.managedFields).toBeUndefined();
    const tracked = trackUpdate({ ...writer("a"), live: undefined, next: live });
    const reset = { ...tracked, metadata: { ...tracked.metadata, managedFields: [] } };
    expect(trackUpdate({ ...writer("b"), live: tracked, next: reset }).metadata.managedFields).toBeUndefined();
  });

  test("keeps stored entries when the client sends none or garbage", () => {
    const live: KubeObject = trackUpdate({ ...writer("a"), live: undefined, next: decode(DEPLOYMENT, deployment({ replicas: 1 })) });
    const { managedFields: kept, ...metadata } = live.metadata;
    const garbage = [{ manager: "x", operation: "Frob", apiVersion: "v1" }];
    expect(trackUpdate<KubeObject>({ ...writer("b"), live, next: { ...live, metadata } }).metadata.managedFields).toEqual(kept);
    const sent = { ...live, metadata: { ...metadata, managedFields: garbage } };
    expect(trackUpdate({ ...writer("b"), live, next: sent }).metadata.managedFields).toEqual(kept);
  });

  test("keeps no more than ten updaters", () => {
    let object: KubeObject = trackUpdate({ ...writer("m0"), live: undefined, next: decode(DEPLOYMENT, deployment({ replicas: 1 })) });
    for (let i = 1; i <= 12; i++) {
      const annotations = { ...object.metadata.annotations, [`k${i}`]: "1" };
      const now = `2030-01-01T00:00:${10 + i}Z`;
      object = trackUpdate({ ...writer(`m${i}`, now), live: object, next: { ...object, metadata: { ...object.metadata, annotations } } });
    }
    const managers = object.metadata.managedFields?.map(({ manager }) => manager) ?? [];
    expect(managers).toHaveLength(10);
    expect(managers).toContain("ancient-changes");
    expect(managers).toContain("m12");
  });
});

test("withoutTimestampChange() gives back the old times where nothing else changed", () => {
  const live = apply("alice", nothing, deployment({ replicas: 1 }));
  const entries = live.metadata.managedFields?.map((entry) => ({ ...entry, time: T2 })) ?? [];
  const next = { ...live, metadata: { ...live.metadata, managedFields: entries } };
  expect(withoutTimestampChange(live, next)).toEqual(live);
  const other = { ...next, spec: { replicas: 2 } };
  expect(withoutTimestampChange(live, other)).toBe(other);
});

test("openApiObjectSchema() merges custom resources by their schema's list types and leaves other lists whole", () => {
  const schema = openApiObjectSchema({
    type: "object",
    properties: {
      spec: {
        type: "object",
        properties: {
          items: {
            type: "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["id"],
            items: { type: "object", properties: { id: { type: "string" }, value: { type: "integer" } } },
          },
          tags: { type: "array", items: { type: "string" } },
          any: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      },
    },
  });
  const base = { schema, apiVersion: "example.com/v1", subresource: "", now: T1, force: false };
  const cr = (spec: object) => ({ apiVersion: "example.com/v1", kind: "Thing", metadata: { name: "t" }, spec });
  const one = applyConfiguration({
    ...base,
    manager: "a",
    live: cr({}),
    applied: cr({ items: [{ id: "x", value: 1 }], tags: ["a"], any: { p: 1 } }),
  });
  if (!one.ok) throw one.error;
  const two = applyConfiguration({
    ...base,
    manager: "b",
    live: one.object,
    applied: cr({ items: [{ id: "y", value: 2 }], any: { q: 2 } }),
  });
  if (!two.ok) throw two.error;
  expect(two.object).toMatchObject({
    spec: {
      items: [
        { id: "x", value: 1 },
        { id: "y", value: 2 },
      ],
      tags: ["a"],
      any: { p: 1, q: 2 },
    },
  });
  expect(conflictOf(applyConfiguration({ ...base, manager: "b", live: two.object, applied: cr({ tags: ["b"] }) }))?.message).toBe(
    'Apply failed with 1 conflict: conflict with "a": .spec.tags',
  );
});

describe("applyConfiguration() on lists within lists", () => {
  const schema = openApiObjectSchema({
    type: "object",
    properties: {
      spec: {
        type: "object",
        properties: {
          items: {
            type: "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["id"],
            items: {
              type: "object",
              properties: { id: { type: "string" }, tags: { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } } },
            },
          },
        },
      },
    },
  });
  const base = { schema, apiVersion: "example.com/v1", subresource: "", now: T1, force: false };
  const thing = (items: object[]): KubeObject & { spec: { items: object[] } } => ({
    apiVersion: "example.com/v1",
    kind: "Thing",
    metadata: { name: "t", uid: "u" },
    spec: { items },
  });
  const applyTo = (live: KubeObject, manager: string, items: object[]) => {
    const { apiVersion, kind, spec } = thing(items);
    const result = applyConfiguration({ ...base, manager, live, applied: { apiVersion, kind, metadata: { name: "t" }, spec } });
    if (!result.ok) throw result.error;
    return result.object;
  };
  const update = (live: KubeObject, items: object[]) =>
    trackUpdate({ ...base, manager: "controller", live, next: { ...thing(items), metadata: live.metadata } });
  const itemsOf = (object: KubeObject) => (object as unknown as { spec: { items: object[] } }).spec.items;
  const owners = (object: KubeObject) => object.metadata.managedFields?.map(({ manager }) => manager);
  const nothing: KubeObject = { apiVersion: "example.com/v1", kind: "Thing", metadata: { name: "t", uid: "u" } };

  test("an item that nobody applies any more goes, with what an updater put into it", () => {
    const one = applyTo(nothing, "one", [{ id: "a" }, { id: "b", tags: ["c"] }]);
    const two = applyTo(one, "two", [{ id: "a", tags: ["b"] }]);
    const three = update(two, [
      { id: "a", tags: ["b"] },
      { id: "b", tags: ["c", "d"] },
    ]);
    expect(owners(three)).toEqual(["one", "two", "controller"]);
    const four = applyTo(three, "one", [{ id: "a" }]);
    expect(itemsOf(four)).toEqual([{ id: "a", tags: ["b"] }]);
    expect(owners(four)).toEqual(["one", "two"]);
  });

  test("an item that another applier still wants stays, without what only the first applied", () => {
    const one = applyTo(nothing, "one", [{ id: "a" }, { id: "b", tags: ["c"] }]);
    const two = applyTo(one, "two", [{ id: "b", tags: ["d"] }]);
    const three = update(two, [{ id: "a" }, { id: "b", tags: ["c", "d", "e"] }]);
    const four = applyTo(three, "one", [{ id: "a" }]);
    expect(itemsOf(four)).toEqual([{ id: "a" }, { id: "b", tags: ["d", "e"] }]);
    expect(owners(four)).toEqual(["one", "two", "controller"]);
  });
});
