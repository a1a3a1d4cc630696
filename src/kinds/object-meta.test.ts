import { describe, expect, test } from "vitest";
import type { ObjectMeta } from "#machinery/api/meta-v1.ts";
import { formatFieldError } from "#machinery/field-error.ts";
import { type ObjectMetaRules, validateObjectMeta, validateObjectMetaUpdate } from "./object-meta.ts";

const SUBDOMAIN =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

function errors(meta: ObjectMeta, rules: Partial<ObjectMetaRules> = {}): readonly string[] {
  return validateObjectMeta({ namespace: "default", ...meta }, { scope: "Namespaced", ...rules }).map(formatFieldError);
}

describe("validateObjectMeta()", () => {
  test.each<[string, ObjectMeta, Partial<ObjectMetaRules>, readonly string[]]>([
    ["a good name", { name: "web.example" }, {}, []],
    ["no name", {}, {}, ["metadata.name: Required value: name or generateName is required"]],
    ["an upper case name", { name: "Web" }, {}, [`metadata.name: Invalid value: "Web": ${SUBDOMAIN}`]],
    ["a label with dots", { name: "a.b" }, { nameRule: "label" }, ['metadata.name: Invalid value: "a.b": must not contain dots']],
    [
      "a long label",
      { name: "a".repeat(64) },
      { nameRule: "label" },
      [`metadata.name: Invalid value: "${"a".repeat(64)}": must be no more than 63 characters`],
    ],
    ["a path", { name: "a/b" }, { nameRule: "path" }, ["metadata.name: Invalid value: \"a/b\": may not contain '/'"]],
    ["an RBAC name", { name: "system:node" }, { nameRule: "path" }, []],
    ["no namespace", { name: "a", namespace: "" }, {}, ["metadata.namespace: Required value"]],
    ["a namespace where there is none", { name: "a" }, { scope: "Cluster" }, ["metadata.namespace: Forbidden: not allowed on this type"]],
    ["a generateName with a dash at its end", { name: "web-abcde", generateName: "web-" }, {}, []],
    [
      "negative generation",
      { name: "a", generation: -1 },
      {},
      ["metadata.generation: Invalid value: -1: must be greater than or equal to 0"],
    ],
    [
      "a bad label value",
      { name: "a", labels: { app: "-x" } },
      {},
      [
        `metadata.labels: Invalid value: "-x": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
      ],
    ],
    [
      "annotations that are too large",
      { name: "a", annotations: { big: "x".repeat(262_144) } },
      {},
      ["metadata.annotations: Too long: may not be more than 262144 bytes"],
    ],
    [
      "an owner without uid",
      { name: "a", ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "p", uid: "" }] },
      {},
      ['metadata.ownerReferences.uid: Invalid value: "": must not be empty'],
    ],
    [
      "a bare finalizer",
      { name: "a", finalizers: ["mine"] },
      {},
      ['metadata.finalizers: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified'],
    ],
    ["known finalizers", { name: "a", finalizers: ["example.com/keep", "kubernetes", "orphan"] }, {}, []],
  ])("%s", (_, meta, rules, expected) => {
    expect(errors(meta, rules)).toEqual(expected);
  });

  test("two controllers are one too many", () => {
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", uid: "1", controller: true };
    const [error = ""] = errors({
      name: "a",
      ownerReferences: [
        { ...owner, name: "x" },
        { ...owner, name: "y" },
      ],
    });
    expect(error).toContain(
      'Only one reference can have Controller set to true. Found "true" in references for ReplicaSet/x and ReplicaSet/y',
    );
  });
});

describe("validateObjectMetaUpdate()", () => {
  const previous: ObjectMeta = {
    name: "a",
    namespace: "default",
    uid: "1",
    resourceVersion: "7",
    creationTimestamp: "2030-01-01T00:00:00Z",
    generation: 2,
  };
  const update = (next: Partial<ObjectMeta>, old: Partial<ObjectMeta> = {}) =>
    validateObjectMetaUpdate({ ...previous, ...old, ...next }, { ...previous, ...old }).map(formatFieldError);

  test.each<[string, Partial<ObjectMeta>, readonly string[]]>([
    ["nothing", {}, []],
    ["labels", { labels: { a: "b" } }, []],
    ["its name", { name: "b" }, ['metadata.name: Invalid value: "b": field is immutable']],
    ["its uid", { uid: "2" }, ['metadata.uid: Invalid value: "2": field is immutable']],
    ["its generation, downwards", { generation: 1 }, ["metadata.generation: Invalid value: 1: must not be decremented"]],
    ["no resourceVersion", { resourceVersion: "" }, ['metadata.resourceVersion: Invalid value: "": must be specified for an update']],
  ])("changing %s", (_, next, expected) => {
    expect(update(next)).toEqual(expected);
  });

  test("no finalizer is added to what is being deleted", () => {
    expect(update({ finalizers: ["example.com/late"] }, { deletionTimestamp: "2030-01-02T00:00:00Z" })).toEqual([
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"example.com/late"}',
    ]);
  });
});
