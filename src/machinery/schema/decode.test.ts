import { describe, expect, test } from "vitest";
import { applyTableDefaults } from "./defaults.ts";
import { decodeObject } from "./decode.ts";
import { encodeObject, withResourceVersion } from "./encode.ts";
import { fieldsOf, hasType, structType, TABLE, typeNameOfKind } from "./schema.ts";

const POD = "io.k8s.api.core.v1.Pod";
const SERVICE = "io.k8s.api.core.v1.Service";
const SECRET = "io.k8s.api.core.v1.Secret";
const EVENT = "io.k8s.api.events.v1.Event";
const CRD = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition";

describe("structType()", () => {
  test("every type of the table can be opened", () => {
    for (const name of Object.keys(TABLE.types))
      expect(structType(name).fields.length + Object.keys(TABLE.types).length).toBeGreaterThan(0);
    expect(hasType(POD)).toBe(true);
    expect(typeNameOfKind("apps", "v1", "Deployment")).toBe("io.k8s.api.apps.v1.Deployment");
    expect(typeNameOfKind("apps", "v9", "Deployment")).toBeUndefined();
  });

  test("puts inlined fields where Go writes them", () => {
    expect(fieldsOf("io.k8s.api.core.v1.Probe").map(({ name }) => name)).toEqual([
      "exec",
      "httpGet",
      "tcpSocket",
      "grpc",
      "initialDelaySeconds",
      "timeoutSeconds",
      "periodSeconds",
      "successThreshold",
      "failureThreshold",
      "terminationGracePeriodSeconds",
    ]);
    expect(fieldsOf("io.k8s.api.core.v1.Volume")[0]?.name).toBe("name");
  });
});

describe("decodeObject()", () => {
  const text = (type: string, value: unknown) => JSON.stringify(decodeObject(type, value).object);

  test("D1, D4: orders fields and writes empty structs", () => {
    expect(
      text(SERVICE, {
        spec: { selector: { a: "b" }, ports: [{ name: "x", port: 80 }] },
        metadata: { name: "s" },
        apiVersion: "v1",
        kind: "Service",
      }),
    ).toBe(
      '{"kind":"Service","apiVersion":"v1","metadata":{"name":"s"},"spec":{"ports":[{"name":"x","port":80,"targetPort":0}],"selector":{"a":"b"}},"status":{"loadBalancer":{}}}',
    );
  });

  test("D1: kind and apiVersion default to the type's", () => {
    expect(text(SECRET, {})).toBe('{"kind":"Secret","apiVersion":"v1","metadata":{}}');
  });

  test("D2: drops unknown fields and reports them in document order", () => {
    const value = {
      spec: { foo: 1, containers: [{ name: "a", bar: 2, env: [{ name: "x", Value: "y" }] }], volumes: [{ name: "v", hostpath: {} }] },
      baz: 1,
    };
    const { object, unknownFields } = decodeObject(POD, value);
    expect(unknownFields).toEqual([
      "spec.foo",
      "spec.containers[0].bar",
      "spec.containers[0].env[0].Value",
      "spec.volumes[0].hostpath",
      "baz",
    ]);
    expect(JSON.stringify(object)).not.toContain("bar");
  });

  test("D2: reports no more than 100 unknown fields", () => {
    const value = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`f${i}`, 1]));
    expect(decodeObject(POD, value).unknownFields).toHaveLength(100);
  });

  test("D3: null is absent, zero values that are omitted go, pointers to zero stay", () => {
    expect(
      text(POD, {
        metadata: null,
        spec: { hostNetwork: false, nodeName: "", terminationGracePeriodSeconds: 0, tolerations: [], nodeSelector: {} },
      }),
    ).toBe('{"kind":"Pod","apiVersion":"v1","metadata":{},"spec":{"containers":[],"terminationGracePeriodSeconds":0},"status":{}}');
  });

  test("D3: null among items and values is the zero value", () => {
    const { object } = decodeObject(POD, { metadata: { labels: { a: null } }, spec: { containers: [null] } });
    expect(object).toMatchObject({ metadata: { labels: { a: "" } }, spec: { containers: [{ name: "", resources: {} }] } });
  });

  test("D4: unset times are null, unless they are omitted", () => {
    const { object } = decodeObject(POD, {
      metadata: { creationTimestamp: null },
      status: { conditions: [{ type: "Ready", status: "True" }] },
    });
    expect(object.metadata).toEqual({});
    expect(object).toMatchObject({ status: { conditions: [{ lastProbeTime: null, lastTransitionTime: null }] } });
  });

  test("D5: canonicalises quantities and times", () => {
    const { object } = decodeObject(POD, {
      metadata: { creationTimestamp: "2030-01-01T02:00:00.5+01:00", deletionTimestamp: "0001-01-01T00:00:00Z" },
      spec: { containers: [{ name: "a", resources: { limits: { cpu: 0.5, memory: "1024Mi" } } }] },
    });
    expect(object.metadata).toEqual({ creationTimestamp: "2030-01-01T01:00:00Z" });
    expect(object).toMatchObject({ spec: { containers: [{ resources: { limits: { cpu: "500m", memory: "1Gi" } } }] } });
    expect(decodeObject(EVENT, { eventTime: "2030-01-01T00:00:00.123456Z" }).object).toMatchObject({
      eventTime: "2030-01-01T00:00:00.123456Z",
    });
  });

  test("shares nothing with its input and leaves it alone", () => {
    const value = { metadata: { labels: { a: "1" } }, spec: { containers: [{ name: "a", args: ["x"] }] } };
    const before = structuredClone(value);
    const object = decodeObject(POD, value).object as unknown as {
      metadata: { labels: object };
      spec: { containers: { args: string[] }[] };
    };
    Object.assign(object.metadata.labels, { a: "2" });
    object.spec.containers[0]?.args.push("y");
    expect(value).toEqual(before);
  });

  test("takes __proto__ as a label like any other", () => {
    const { object } = decodeObject(POD, JSON.parse('{"metadata":{"labels":{"__proto__":"x"}}}'));
    expect(JSON.stringify(object.metadata)).toBe('{"labels":{"__proto__":"x"}}');
  });

  test("decodes the schema unions of custom resource definitions", () => {
    const schema = {
      type: "object",
      properties: {
        a: { additionalProperties: false },
        b: { additionalProperties: { type: "string" } },
        c: { items: { type: "integer" } },
      },
    };
    const { object } = decodeObject(CRD, { spec: { versions: [{ name: "v1", schema: { openAPIV3Schema: schema } }] } });
    expect(object).toMatchObject({ spec: { versions: [{ schema: { openAPIV3Schema: schema } }] } });
  });

  const struct = "json: cannot unmarshal";
  test.each([
    [SERVICE, { spec: { ports: "x" } }, `${struct} string into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort`],
    [SERVICE, { spec: { ports: [{ port: "80" }] } }, `${struct} string into Go struct field ServicePort.spec.ports.port of type int32`],
    [SERVICE, { spec: { ports: [{ port: 1.5 }] } }, `${struct} number 1.5 into Go struct field ServicePort.spec.ports.port of type int32`],
    [
      SERVICE,
      { spec: { ports: [{ port: 3e9 }] } },
      `${struct} number 3000000000 into Go struct field ServicePort.spec.ports.port of type int32`,
    ],
    [
      SERVICE,
      { spec: { ports: [{ targetPort: true }] } },
      `${struct} bool into Go struct field ServicePort.spec.ports.targetPort of type int32`,
    ],
    [
      SERVICE,
      { spec: { ports: [{ protocol: 6 }] } },
      `${struct} number into Go struct field ServicePort.spec.ports.protocol of type v1.Protocol`,
    ],
    [SERVICE, { spec: { ipFamilies: [4] } }, `${struct} number into Go struct field ServiceSpec.spec.ipFamilies of type v1.IPFamily`],
    [SERVICE, { spec: [] }, `${struct} array into Go struct field Service.spec of type v1.ServiceSpec`],
    [SERVICE, { metadata: { labels: { a: 1 } } }, `${struct} number into Go struct field ObjectMeta.metadata.labels of type string`],
    [SERVICE, { metadata: { labels: "a" } }, `${struct} string into Go struct field ObjectMeta.metadata.labels of type map[string]string`],
    [
      SERVICE,
      { metadata: { creationTimestamp: 5 } },
      `${struct} number into Go struct field ObjectMeta.metadata.creationTimestamp of type string`,
    ],
    [SERVICE, [], `${struct} array into Go value of type v1.Service`],
    [SERVICE, { kind: 1 }, `${struct} number into Go struct field Service.kind of type string`],
    [
      POD,
      { spec: { containers: [{ env: [{ name: "a", value: 1 }] }] } },
      `${struct} number into Go struct field EnvVar.spec.containers.env.value of type string`,
    ],
    [
      POD,
      { spec: { volumes: [{ hostPath: 1 }] } },
      `${struct} number into Go struct field Volume.spec.volumes.hostPath of type v1.HostPathVolumeSource`,
    ],
    [
      POD,
      { spec: { containers: [{ resources: { limits: { cpu: "x" } } }] } },
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [POD, { metadata: { creationTimestamp: "now" } }, 'parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"'],
    [POD, { metadata: { creationTimestamp: "2030-13-01T00:00:00Z" } }, 'parsing time "2030-13-01T00:00:00Z": month out of range'],
    [POD, { metadata: { creationTimestamp: "2030-02-30T00:00:00Z" } }, 'parsing time "2030-02-30T00:00:00Z": day out of range'],
    [SECRET, { data: { a: "!" } }, "illegal base64 data at input byte 0"],
    [SECRET, { data: { a: "YWJ" } }, "illegal base64 data at input byte 0"],
    [SECRET, { data: { a: "YWJjZ" } }, "illegal base64 data at input byte 4"],
  ])("refuses a wrong type as Go's decoder words it: %#", (type, value, message) => {
    expect(() => decodeObject(type, value)).toThrow(message);
  });
});

describe("applyTableDefaults()", () => {
  test("fills in declared defaults in place, at every depth", () => {
    const { object } = decodeObject(POD, { spec: { containers: [{ name: "a", ports: [{ containerPort: 80 }] }] } });
    const before = JSON.stringify(object);
    const defaulted = applyTableDefaults(POD, object);
    expect(defaulted).toMatchObject({ spec: { containers: [{ ports: [{ containerPort: 80, protocol: "TCP" }] }] } });
    expect(JSON.stringify(object)).toBe(before);
    expect(applyTableDefaults(POD, defaulted)).toBe(defaulted);
  });

  test("sets a pointer that is absent, and leaves zero alone", () => {
    const RC = "io.k8s.api.core.v1.ReplicationController";
    const rc = (spec: object) => applyTableDefaults(RC, decodeObject(RC, { spec }).object);
    expect(rc({})).toMatchObject({ spec: { replicas: 1 } });
    expect(rc({ replicas: 0 })).toMatchObject({ spec: { replicas: 0 } });
  });
});

describe("encodeObject()", () => {
  const read = (bytes: Uint8Array) => Buffer.from(bytes).toString();

  test("leaves the resource version out, and withResourceVersion() puts one in", () => {
    const { object } = decodeObject(SECRET, { metadata: { name: 'a"metadata":{', resourceVersion: "5" }, data: { a: "YQ==" } });
    const bytes = encodeObject(object);
    expect(read(bytes)).toBe('{"kind":"Secret","apiVersion":"v1","metadata":{"name":"a\\"metadata\\":{"},"data":{"a":"YQ=="}}');
    const before = read(bytes);
    expect(JSON.parse(read(withResourceVersion(bytes, "77")))).toEqual({
      ...object,
      metadata: { ...object.metadata, resourceVersion: "77" },
    });
    expect(read(bytes)).toBe(before);
  });

  test("copes with empty metadata and with slices of a larger buffer", () => {
    const bytes = encodeObject({ kind: "A", apiVersion: "b/v1", metadata: {} });
    expect(read(withResourceVersion(bytes, "1"))).toBe('{"kind":"A","apiVersion":"b/v1","metadata":{"resourceVersion":"1"}}');
    const larger = new Uint8Array(bytes.length + 20).fill(32);
    larger.set(bytes, 10);
    expect(read(withResourceVersion(larger.subarray(10, 10 + bytes.length), "1"))).toBe(read(withResourceVersion(bytes, "1")));
  });
});
