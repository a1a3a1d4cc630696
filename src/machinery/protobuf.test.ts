import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeEnvelope, decodeMessage, decodeProtobuf, decodeWatchEvent, encodeMessage, encodeProtobuf, encodeWatchEvent,
} from "./protobuf.ts"; // biome-ignore format: one glance
import { unreachable } from "#base/invariant.ts";
import { createReader, createWriter, ProtobufError } from "./protobuf-wire.ts";
import { decodeObject } from "./schema/decode.ts";
import { type SchemaField, structType, TABLE, type ValueType } from "./schema/schema.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const POD = "io.k8s.api.core.v1.Pod";

describe("wire format", () => {
  test.each([
    [0, "00"],
    [127, "7f"],
    [128, "8001"],
    [300, "ac02"],
    [-1, "ffffffffffffffffff01"],
    [Number.MAX_SAFE_INTEGER, "ffffffffffffff0f"],
    [-(2 ** 31), "80808080f8ffffffff01"],
  ])("%d is %s", (value, expected) => {
    const writer = createWriter();
    writer.int64(value);
    expect(hex(writer.finish())).toBe(expected);
    expect(createReader(writer.finish()).int64()).toBe(value);
  });

  test("numbers survive", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.double({ noNaN: true }), (whole, real) => {
        const writer = createWriter();
        writer.double(real);
        writer.int64(whole);
        const reader = createReader(writer.finish());
        expect([reader.int64(), reader.double()]).toEqual([whole, real]);
      }),
    );
  });

  test.each([
    ["0a05", "unexpected EOF"],
    ["0a", "unexpected EOF"],
    ["7d0000", "unexpected EOF"],
    ["03", "proto: illegal tag 0 (wire type 3)"],
    ["0b", "proto: illegal wireType 3"],
    ["78ffffffffffffffffffffff", "proto: integer overflow"],
    ["78ff", "unexpected EOF"],
  ])("refuses %s", (bytes, message) => {
    expect(() => decodeMessage("io.k8s.api.core.v1.ConfigMapNodeConfigSource", Buffer.from(bytes, "hex"))).toThrow(
      new ProtobufError(message),
    );
  });
});

describe("bodies", () => {
  test("a known body, byte by byte", () => {
    const type = "io.k8s.api.core.v1.ConfigMap";
    const { object } = decodeObject(type, { metadata: { name: "a", labels: { x: "y" } }, data: { k: "v" }, binaryData: { b: "AQI=" } });
    const meta = ["0a0161", "1200", "1a00", "2200", "2a00", "3200", "3800", "4200", "5a060a0178120179"].join("");
    const length = (text: string) => (text.length / 2).toString(16).padStart(2, "0");
    const message = `0a${length(meta)}${meta}12060a016b1201761a070a016212020102`;
    const typeMeta = "0a0276311209" + Buffer.from("ConfigMap").toString("hex");
    expect(hex(encodeProtobuf(type, object as never))).toBe(
      `6b3873000a${length(typeMeta)}${typeMeta}12${length(message)}${message}1a002200`,
    );
  });

  test("opens the envelope", () => {
    const body = encodeProtobuf(POD, decodeObject(POD, { metadata: { name: "p" } }).object as never);
    expect(decodeEnvelope(body)).toMatchObject({ apiVersion: "v1", kind: "Pod", contentType: "", contentEncoding: "" });
    expect(() => decodeEnvelope(Buffer.from("{}"))).toThrow(
      "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    );
  });

  test("tells a kind that it does not know", () => {
    const body = Buffer.concat([Buffer.from("k8s\0"), Buffer.from("0a070a02763112015a", "hex")]);
    expect(decodeProtobuf(body)).toBeUndefined();
  });

  test("skips unknown fields and takes packed numbers", () => {
    const TYPE = "io.k8s.api.core.v1.PodSecurityContext";
    expect(decodeMessage(TYPE, Buffer.from("2203010203fa3f0178", "hex"))).toEqual({ supplementalGroups: [1, 2, 3] });
    expect(decodeMessage(TYPE, Buffer.from("20012002", "hex"))).toEqual({ supplementalGroups: [1, 2] });
  });

  test("names a field of a wrong wire type", () => {
    expect(() => decodeMessage("io.k8s.api.core.v1.Container", Buffer.from("0801", "hex"))).toThrow(
      "proto: wrong wireType = 0 for field name",
    );
  });

  test("refuses bodies within bodies without end", () => {
    const CONTROLLER_REVISION = "io.k8s.api.apps.v1.ControllerRevision";
    const meta = Buffer.from("0a0761707073 2f763112".replaceAll(" ", ""), "hex");
    const kind = Buffer.from("ControllerRevision");
    const field = (n: number, content: Uint8Array) => {
      const writer = createWriter();
      writer.bytes(content);
      writer.tag(n, 2);
      return writer.finish();
    };
    const envelope = (message: Uint8Array) =>
      Buffer.concat([Buffer.from("k8s\0"), field(1, Buffer.concat([meta, Buffer.from([kind.length]), kind])), field(2, message)]);
    let body = envelope(new Uint8Array());
    for (let i = 0; i < 1100; i++) body = envelope(field(2, field(1, body)));
    expect(() => decodeProtobuf(body)).toThrow("proto: exceeded max depth");
    expect(decodeMessage(CONTROLLER_REVISION, field(2, field(1, Buffer.from('{"a":1}'))))).toEqual({ data: { a: 1 } });
  });

  test("wraps a watch event", () => {
    const body = encodeProtobuf(POD, decodeObject(POD, {}).object as never);
    const event = decodeWatchEvent(encodeWatchEvent("ADDED", body));
    expect([event.type, hex(event.body)]).toEqual(["ADDED", hex(body)]);
  });

  test("every kind of the table survives, with every field set", () => {
    for (const [gvk, typeName] of Object.entries(TABLE.kinds)) {
      const { object } = decodeObject(typeName, sample(typeName));
      const { kind, apiVersion } = object;
      const message = encodeMessage(typeName, object as never);
      const again = decodeObject(typeName, { kind, apiVersion, ...decodeMessage(typeName, message) });
      expect([gvk, again.unknownFields, again.object]).toEqual([gvk, [], object]);
    }
  });
});

/** A value for every field that is in protobuf, three levels of recursion deep. */
function sample(typeName: string, depth = 0): Record<string, unknown> {
  const fields = structType(typeName).fields.filter(({ facts, type }) => facts.n > 0 && (depth < 12 || !isStruct(type)));
  return Object.fromEntries(fields.map((field, i) => [field.name, value(field.type, field, i + 1, depth)]));
}

function isStruct(type: ValueType): boolean {
  return (
    type.is === "struct" ||
    ((type.is === "list" || type.is === "map") && isStruct(type.of)) ||
    (type.is === "scalar" && type.scalar.startsWith("jsonSchema"))
  );
}

function value(type: ValueType, field: SchemaField, i: number, depth: number): unknown {
  if (type.is === "list") return [value(type.of, field, i, depth), value(type.of, field, i + 1, depth)].slice(0, depth > 4 ? 1 : 2);
  if (type.is === "map") return { [`key${i}`]: value(type.of, field, i, depth) };
  if (type.is === "struct")
    return type.struct.goName === "JSONSchemaProps" && depth > 5 ? { type: "string" } : sample(type.struct.name, depth + 1);
  switch (type.scalar) {
    case "string":
      return `${field.name}-ä${i}`;
    case "boolean":
      return true;
    case "int32":
    case "int64":
      return i % 2 === 0 ? i * 1000 : -i;
    case "double":
      return i + 0.5;
    case "bytes":
      return Buffer.from([i, 0, 255]).toString("base64");
    case "quantity":
      return `${i}500m`;
    case "intOrString":
      return i % 2 === 0 ? i : "http";
    case "time":
      return "2030-01-02T03:04:05Z";
    case "microTime":
      return "2030-01-02T03:04:05.000678Z";
    case "duration":
      return "5ns";
    case "jsonSchemaOrBool":
      return i % 2 === 0 ? false : { type: "string" };
    case "jsonSchemaOrArray":
    case "jsonSchemaOrStringArray":
      return { type: "string" };
    case "raw":
    case "json":
    case "fieldsV1":
      return { kind: "Any", n: [i, null, "x"] };
    default:
      return unreachable(type.scalar);
  }
}
