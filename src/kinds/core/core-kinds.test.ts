import { describe, expect, test } from "vitest";
import { type Body, createdAs, createErrors, decodedAs, updateErrors } from "../kind-testing.ts";
import { ConfigMapKind } from "./config-map.ts";
import { EndpointsKind } from "./endpoints.ts";
import { EventKind } from "./event.ts";
import { LimitRangeKind } from "./limit-range.ts";
import { NamespaceKind } from "./namespace.ts";
import { NodeKind } from "./node.ts";
import { PersistentVolumeClaimKind } from "./persistent-volume-claim.ts";
import { PersistentVolumeKind } from "./persistent-volume.ts";
import { ReplicationControllerKind } from "./replication-controller.ts";
import { ResourceQuotaKind } from "./resource-quota.ts";
import { SecretKind } from "./secret.ts";

const metadata = { name: "a", namespace: "default" };
const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "i" }] } };

describe("NamespaceKind", () => {
  test("a new namespace is active, labelled with its name and held by the kubernetes finalizer", () => {
    const created = createdAs(NamespaceKind, { metadata: { name: "team" } });
    expect(created.metadata.labels).toEqual({ "kubernetes.io/metadata.name": "team" });
    expect([created.spec, created.status]).toEqual([{ finalizers: ["kubernetes"] }, { phase: "Active" }]);
  });

  test("its name is a label", () => {
    expect(createErrors(NamespaceKind, { metadata: { name: "a.b" } })).toEqual([
      'metadata.name: Invalid value: "a.b": must not contain dots',
    ]);
  });
});

describe("ConfigMapKind", () => {
  test.each<[string, Body, readonly string[]]>([
    ["plain", { data: { "app.conf": "x" } }, []],
    [
      "a bad key",
      { data: { "a/b": "x" } },
      [
        "data[a/b]: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ],
    ],
    [
      "one key twice",
      { data: { k: "x" }, binaryData: { k: "eA==" } },
      ['data[k]: Invalid value: "k": duplicate of key present in binaryData'],
    ],
    ["too large", { data: { k: "x".repeat(1_048_577) } }, ["[]: Too long: may not be more than 1048576 bytes"]],
  ])("%s", (_, body, expected) => {
    expect(createErrors(ConfigMapKind, { metadata, ...body })).toEqual(expected);
  });

  test("immutable ones stay as they are", () => {
    const before = { metadata, immutable: true, data: { k: "1" } };
    expect(updateErrors(ConfigMapKind, before, { metadata, data: { k: "2" } })).toEqual([
      "immutable: Forbidden: field is immutable when `immutable` is set",
      "data: Forbidden: field is immutable when `immutable` is set",
    ]);
    expect(updateErrors(ConfigMapKind, before, { ...before, metadata: { ...metadata, labels: { a: "b" } } })).toEqual([]);
  });
});

describe("SecretKind", () => {
  test("stringData is encoded into data and gone", () => {
    const secret = createdAs(SecretKind, { metadata, data: { b: "eA==" }, stringData: { a: "hello" } });
    expect(secret).not.toHaveProperty("stringData");
    expect([secret.type, secret.data]).toEqual(["Opaque", { a: "aGVsbG8=", b: "eA==" }]);
  });

  test.each<[string, Body, readonly string[]]>([
    ["a TLS secret without key", { type: "kubernetes.io/tls", data: { "tls.crt": "" } }, ["data[tls.key]: Required value"]],
    [
      "basic auth without anything",
      { type: "kubernetes.io/basic-auth" },
      ["data[username]: Required value", "data[password]: Required value"],
    ],
    [
      "a token without account",
      { type: "kubernetes.io/service-account-token" },
      ["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
    ],
    [
      "a docker config that is no JSON",
      { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": "eA==" } },
      ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": unexpected end of JSON input'],
    ],
  ])("%s", (_, body, expected) => {
    expect(createErrors(SecretKind, { metadata, ...body })).toEqual(expected);
  });

  test("a type does not change", () => {
    expect(updateErrors(SecretKind, { metadata }, { metadata, type: "example.com/x" })).toEqual([
      'type: Invalid value: "example.com/x": field is immutable',
    ]);
  });
});

describe("ReplicationControllerKind", () => {
  const rc = (spec: Body): Body => ({ metadata, spec });

  test("takes selector and labels from its template", () => {
    const created = createdAs(ReplicationControllerKind, rc({ template }));
    expect([created.spec.selector, created.metadata.labels, created.spec.replicas, created.status]).toEqual([
      { app: "web" },
      { app: "web" },
      1,
      { replicas: 0 },
    ]);
  });

  test.each<[string, Body, readonly string[]]>([
    ["plain", { template }, []],
    ["no template", {}, ["spec.selector: Required value", "spec.template: Required value"]],
    [
      "another selector",
      { template, selector: { app: "db" } },
      ['spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`'],
    ],
    ["fewer than no replicas", { template, replicas: -1 }, ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]],
    [
      "pods that end",
      { template: { ...template, spec: { ...template.spec, restartPolicy: "Never" } } },
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
  ])("%s", (_, spec, expected) => {
    expect(createErrors(ReplicationControllerKind, rc(spec))).toEqual(expected);
  });
});

describe("NodeKind", () => {
  test("a kubelet registers its node with status, and capacity is allocatable unless it says less", () => {
    const created = createdAs(NodeKind, { metadata: { name: "n1" }, status: { capacity: { cpu: "2" } } });
    expect(created.status).toMatchObject({ capacity: { cpu: "2" }, allocatable: { cpu: "2" } });
  });

  test("pod ranges stay once given", () => {
    const node = (spec: Body): Body => ({ metadata: { name: "n1" }, spec });
    expect(createdAs(NodeKind, node({ podCIDR: "10.0.0.0/24" })).spec.podCIDRs).toEqual(["10.0.0.0/24"]);
    expect(updateErrors(NodeKind, node({}), node({ podCIDR: "10.0.0.0/24" }))).toEqual([]);
    expect(updateErrors(NodeKind, node({ podCIDR: "10.0.0.0/24" }), node({ podCIDR: "10.0.1.0/24" }))).toEqual([
      'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
    ]);
  });

  test("taints have an effect", () => {
    expect(createErrors(NodeKind, { metadata: { name: "n1" }, spec: { taints: [{ key: "a", effect: "Never" }] } })).toEqual([
      'spec.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ]);
  });
});

describe("EndpointsKind", () => {
  test.each<[string, Body, readonly string[]]>([
    ["plain", { addresses: [{ ip: "10.0.0.1" }], ports: [{ port: 80 }] }, []],
    ["nobody", {}, ["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"]],
    [
      "the node itself",
      { addresses: [{ ip: "127.0.0.1" }] },
      ['subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'],
    ],
    [
      "the metadata service",
      { addresses: [{ ip: "169.254.169.254" }] },
      ['subsets[0].addresses[0].ip: Invalid value: "169.254.169.254": may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
    ],
  ])("%s", (_, subset, expected) => {
    expect(createErrors(EndpointsKind, { metadata, subsets: [subset] })).toEqual(expected);
  });
});

describe("EventKind", () => {
  test("is where its object is", () => {
    const event = { metadata, involvedObject: { kind: "Pod", namespace: "other", name: "p" } };
    expect(createErrors(EventKind, event)).toEqual(['involvedObject.namespace: Invalid value: "other": does not match event.namespace']);
    expect(createErrors(EventKind, { metadata, involvedObject: { kind: "Node", name: "n" } })).toEqual([]);
  });
});

describe("PersistentVolumeKind and PersistentVolumeClaimKind", () => {
  const claim = (spec: Body): Body => ({
    metadata,
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...spec },
  });
  const volume = (spec: Body): Body => ({
    metadata: { name: "v" },
    spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/data" }, ...spec },
  });

  test.each<[string, Body, readonly string[]]>([
    ["plain", claim({}), []],
    ["no access mode", claim({ accessModes: [] }), ["spec.accessModes: Required value: at least 1 access mode is required"]],
    [
      "an unknown access mode",
      claim({ accessModes: ["Everyone"] }),
      [
        'spec.accessModes: Unsupported value: "Everyone": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
      ],
    ],
    ["no size", claim({ resources: {} }), ["spec.resources[storage]: Required value"]],
    [
      "no room",
      claim({ resources: { requests: { storage: "0" } } }),
      ['spec.resources[storage]: Invalid value: "0": must be greater than zero'],
    ],
  ])("a claim with %s", (_, body, expected) => {
    expect(createErrors(PersistentVolumeClaimKind, body)).toEqual(expected);
  });

  test("a claim grows only when bound", () => {
    const [error = ""] = updateErrors(PersistentVolumeClaimKind, claim({}), claim({ resources: { requests: { storage: "2Gi" } } }));
    expect(error).toBe(
      "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
    );
    const bound = { ...createdAs(PersistentVolumeClaimKind, claim({})), status: { phase: "Bound" as const, capacity: { storage: "1Gi" } } };
    const next = decodedAs(PersistentVolumeClaimKind, claim({ resources: { requests: { storage: "2Gi" } } }));
    expect(PersistentVolumeClaimKind.strategy.validateUpdate?.(next, bound)).toEqual([]);
  });

  test.each<[string, Body, readonly string[]]>([
    ["plain", volume({}), []],
    [
      "no source",
      { ...volume({}), spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"] } },
      ["spec: Required value: must specify a volume type"],
    ],
    ["no capacity", volume({ capacity: {} }), ["spec.capacity: Required value"]],
    ["a way back", volume({ hostPath: { path: "/a/../b" } }), ["spec.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"]],
  ])("a volume with %s", (_, body, expected) => {
    expect(createErrors(PersistentVolumeKind, body)).toEqual(expected);
  });

  test("a volume keeps its source", () => {
    expect(updateErrors(PersistentVolumeKind, volume({}), volume({ hostPath: { path: "/other" } }))).toEqual([
      "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation",
    ]);
  });
});

describe("ResourceQuotaKind and LimitRangeKind", () => {
  test("a quota counts known resources in whole numbers", () => {
    expect(createErrors(ResourceQuotaKind, { metadata, spec: { hard: { pods: "1.5", gold: "1", "requests.cpu": "500m" } } })).toEqual([
      'spec.hard[pods]: Invalid value: "1500m": must be an integer',
      'spec.hard[gold]: Invalid value: "gold": must be a standard resource type or fully qualified',
    ]);
  });

  test("a range fills its defaults from its maximum", () => {
    const { spec } = decodedAs(LimitRangeKind, {
      metadata,
      spec: { limits: [{ type: "Container", max: { cpu: "2" }, min: { memory: "1Mi" } }] },
    });
    expect(spec.limits[0]).toMatchObject({ default: { cpu: "2" }, defaultRequest: { cpu: "2", memory: "1Mi" } });
  });

  test("a range has its minimum below its maximum", () => {
    expect(createErrors(LimitRangeKind, { metadata, spec: { limits: [{ type: "Pod", max: { cpu: "1" }, min: { cpu: "2" } }] } })).toEqual([
      'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
    ]);
  });
});
