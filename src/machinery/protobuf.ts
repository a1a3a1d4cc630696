import { unreachable } from "#base/invariant.ts";
import { JsonSyntaxError, MAX_DEPTH, parseJson } from "./json.ts";
import { type PlainObject, setMember } from "./plain.ts";
import { JSON_SCHEMA, messageOf, type SchemaUnion, STRING, UNION_FIELDS, WRAPPED_LISTS, wireOf } from "./protobuf-message.ts";
import { createReader, createWriter, ProtobufError, type WireReader, type WireType } from "./protobuf-wire.ts";
import { writeMessage } from "./protobuf-write.ts";
import { type ScalarName, type SchemaField, typeNameOfKind, type ValueType } from "./schema/schema.ts";
import { printMicroTime, printSeconds } from "./time.ts";

/** What every Kubernetes protobuf body starts with. */
export const PROTOBUF_MAGIC = Buffer.from("k8s\0");

export interface ProtobufEnvelope {
  readonly apiVersion: string;
  readonly kind: string;
  /** The object's message. */
  readonly raw: Uint8Array;
  readonly contentEncoding: string;
  readonly contentType: string;
}

/** Opens the envelope of a body. Throws ProtobufError. */
export function decodeEnvelope(body: Uint8Array): ProtobufEnvelope {
  if (Buffer.compare(body.subarray(0, 4), PROTOBUF_MAGIC) !== 0) {
    throw new ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  }
  const envelope = { apiVersion: "", kind: "", raw: new Uint8Array(), contentEncoding: "", contentType: "" };
  const reader = createReader(body.subarray(4));
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.wire !== 2) throw wrongWire(field.wire, "Unknown");
    if (field.n === 1) Object.assign(envelope, decodeTypeMeta(reader.bytes()));
    else if (field.n === 2) envelope.raw = Uint8Array.from(reader.bytes());
    else if (field.n === 3) envelope.contentEncoding = reader.string();
    else if (field.n === 4) envelope.contentType = reader.string();
    else reader.skip(field.wire);
  }
  return envelope;
}

/**
 * A body as plain JSON, with `kind` and `apiVersion`, for the decoder. undefined where the table does not know the kind. Throws
 * ProtobufError.
 */
export function decodeProtobuf(body: Uint8Array): PlainObject | undefined {
  return readBody(body, 0);
}

/** One message without envelope as plain JSON. Throws ProtobufError. */
export function decodeMessage(typeName: string, bytes: Uint8Array): PlainObject {
  const output: Record<string, unknown> = {};
  readMessage(typeName, bytes, output, 0);
  return output;
}

/** A whole body: magic, envelope, message. The object is canonical, as the decoder leaves it. */
export function encodeProtobuf(typeName: string, object: PlainObject): Uint8Array {
  const writer = createWriter();
  writer.string("");
  writer.tag(4, 2);
  writer.string("");
  writer.tag(3, 2);
  const body = writer.mark();
  writeMessage(writer, typeName, object);
  writer.close(body, 2);
  const meta = writer.mark();
  writer.string(String(object["kind"] ?? ""));
  writer.tag(2, 2);
  writer.string(String(object["apiVersion"] ?? ""));
  writer.tag(1, 2);
  writer.close(meta, 1);
  writer.raw(PROTOBUF_MAGIC);
  return writer.finish();
}

/** One message without envelope. */
export function encodeMessage(typeName: string, object: PlainObject): Uint8Array {
  const writer = createWriter();
  writeMessage(writer, typeName, object);
  return writer.finish();
}

/** A watch event: its object is a whole body. */
export function encodeWatchEvent(type: string, body: Uint8Array): Uint8Array {
  const writer = createWriter();
  const object = writer.mark();
  writer.bytes(body);
  writer.tag(1, 2);
  writer.close(object, 2);
  writer.string(type);
  writer.tag(1, 2);
  return writer.finish();
}

export function decodeWatchEvent(bytes: Uint8Array): { readonly type: string; readonly body: Uint8Array } {
  const event = { type: "", body: new Uint8Array() };
  const reader = createReader(bytes);
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.n === 1 && field.wire === 2) event.type = reader.string();
    else if (field.n === 2 && field.wire === 2) event.body = Uint8Array.from(readSingle(reader.bytes()));
    else reader.skip(field.wire);
  }
  return event;
}

function decodeTypeMeta(bytes: Uint8Array): { apiVersion: string; kind: string } {
  const meta = { apiVersion: "", kind: "" };
  const reader = createReader(bytes);
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.n === 1 && field.wire === 2) meta.apiVersion = reader.string();
    else if (field.n === 2 && field.wire === 2) meta.kind = reader.string();
    else reader.skip(field.wire);
  }
  return meta;
}

function readBody(body: Uint8Array, depth: number): PlainObject | undefined {
  const { apiVersion, kind, raw } = decodeEnvelope(body);
  const typeName = typeNameFor(apiVersion, kind);
  if (typeName === undefined) return undefined;
  const output: Record<string, unknown> = { kind, apiVersion };
  readMessage(typeName, raw, output, depth);
  return output;
}

function typeNameFor(apiVersion: string, kind: string): string | undefined {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  // The meta kinds (Status, options, List) belong to every group.
  return typeNameOfKind(group ?? "", version ?? "", kind) ?? typeNameOfKind("meta.k8s.io", version ?? "", kind);
}

function readMessage(typeName: string, bytes: Uint8Array, output: Record<string, unknown>, depth: number): void {
  if (depth > MAX_DEPTH) throw new ProtobufError("proto: exceeded max depth");
  const message = messageOf(typeName);
  const reader = createReader(bytes);
  for (let at = reader.next(); at !== undefined; at = reader.next()) {
    const entry = message.byNumber.get(at.n);
    if (entry?.inline !== undefined) {
      if (at.wire !== 2) throw wrongWire(at.wire, entry.inline);
      readMessage(entry.inline, reader.bytes(), output, depth + 1);
    } else if (entry?.field === undefined) reader.skip(at.wire);
    else readField(reader, at.wire, entry.field, output, depth);
  }
}

function readField(reader: WireReader, wire: WireType, field: SchemaField, output: Record<string, unknown>, depth: number): void {
  const { name, type, goType } = field;
  if (type.is === "map") {
    if (wire !== 2) throw wrongWire(wire, name);
    const map = (output[name] ??= {}) as Record<string, unknown>;
    readMapEntry(reader.bytes(), type.of, map, depth);
  } else if (type.is === "list") {
    const list = (output[name] ??= []) as unknown[];
    if (WRAPPED_LISTS.has(goType)) readListMessage(reader.bytes(), type.of, list, depth);
    else readItem(reader, wire, type.of, list, name, depth);
  } else output[name] = readValue(reader, wire, type, name, depth);
}

/** Numbers may come packed. */
function readItem(reader: WireReader, wire: WireType, of: ValueType, list: unknown[], name: string, depth: number): void {
  if (wire !== 2 || wireOf(of) === 2) {
    list.push(readValue(reader, wire, of, name, depth));
    return;
  }
  const packed = createReader(reader.bytes());
  while (!packed.done()) list.push(readValue(packed, wireOf(of), of, name, depth));
}

function readListMessage(bytes: Uint8Array, of: ValueType, list: unknown[], depth: number): void {
  const reader = createReader(bytes);
  for (let at = reader.next(); at !== undefined; at = reader.next()) {
    if (at.n === 1) list.push(readValue(reader, at.wire, of, "items", depth + 1));
    else reader.skip(at.wire);
  }
}

function readMapEntry(bytes: Uint8Array, of: ValueType, map: Record<string, unknown>, depth: number): void {
  const reader = createReader(bytes);
  let key = "";
  let value: unknown;
  for (let at = reader.next(); at !== undefined; at = reader.next()) {
    if (at.n === 1 && at.wire === 2) key = reader.string();
    else if (at.n === 2 && of.is === "list") {
      value = [];
      readListMessage(reader.bytes(), of.of, value as unknown[], depth);
    } else if (at.n === 2) value = readValue(reader, at.wire, of, "value", depth);
    else reader.skip(at.wire);
  }
  setMember(map, key, value ?? emptyValue(of));
}

function emptyValue(type: ValueType): unknown {
  if (type.is === "scalar" && (type.scalar === "string" || type.scalar === "bytes")) return "";
  return type.is === "list" ? [] : null;
}

function readValue(reader: WireReader, wire: WireType, type: ValueType, name: string, depth: number): unknown {
  if (wire !== wireOf(type)) throw wrongWire(wire, name);
  switch (type.is) {
    case "scalar":
      return readScalar(reader, type.scalar, depth);
    case "struct": {
      const output: Record<string, unknown> = {};
      readMessage(type.struct.name, reader.bytes(), output, depth + 1);
      return output;
    }
    case "list":
    case "map":
      throw new ProtobufError("proto: lists of lists and maps of maps are not supported");
    default:
      return unreachable(type);
  }
}

function readScalar(reader: WireReader, scalar: ScalarName, depth: number): unknown {
  switch (scalar) {
    case "string":
      return reader.string();
    case "bytes":
      return Buffer.from(reader.bytes()).toString("base64");
    case "boolean":
      return reader.int64() !== 0;
    case "int32":
      return reader.int64() | 0;
    case "int64":
      return reader.int64();
    case "double":
      return reader.double();
    case "quantity":
      return Buffer.from(readSingle(reader.bytes())).toString("utf8");
    case "intOrString":
      return readIntOrString(reader.bytes());
    case "time":
    case "microTime":
      return readTime(reader.bytes(), scalar);
    case "duration":
      return `${readFirstNumber(reader.bytes())}ns`;
    case "raw":
    case "json":
    case "fieldsV1":
      return readRaw(readSingle(reader.bytes()), depth);
    case "jsonSchemaOrArray":
    case "jsonSchemaOrBool":
    case "jsonSchemaOrStringArray":
      return readSchemaUnion(scalar, reader.bytes(), depth);
    default:
      return unreachable(scalar);
  }
}

/** Field 1, bytes: the whole content of several small messages. */
function readSingle(bytes: Uint8Array): Uint8Array {
  const reader = createReader(bytes);
  let content: Uint8Array = new Uint8Array();
  for (let at = reader.next(); at !== undefined; at = reader.next()) {
    if (at.n === 1 && at.wire === 2) content = reader.bytes();
    else reader.skip(at.wire);
  }
  return content;
}

function readFirstNumber(bytes: Uint8Array): number {
  const reader = createReader(bytes);
  let value = 0;
  for (let at = reader.next(); at !== undefined; at = reader.next()) {
    if (at.n === 1 && at.wire === 0) value = reader.int64();
    else reader.skip(at.wire);
  }
  return value;
}

function readIntOrString(bytes: Uint8Array): number | string {
  const reader = createReader(bytes);
  const value = { type: 0, int: 0, text: "" };
  for (let at = reader.next(); at !== undefined; at = reader.next()) {
    if (at.n === 1 && at.wire === 0) value.type = reader.int64();
    else if (at.n === 2 && at.wire === 0) value.int = reader.int64() | 0;
    else if (at.n === 3 && at.wire === 2) value.text = reader.string();
    else reader.skip(at.wire);
  }
  return value.type === 1 ? value.text : value.int;
}

/** An empty message is the zero time. */
function readTime(bytes: Uint8Array, scalar: "time" | "microTime"): string | null {
  const reader = createReader(bytes);
  let [seconds, nanos] = [0, 0];
  for (let at = reader.next(); at !== undefined; at = reader.next()) {
    if (at.n === 1 && at.wire === 0) seconds = reader.int64();
    else if (at.n === 2 && at.wire === 0) nanos = reader.int64();
    else reader.skip(at.wire);
  }
  if (seconds === 0 && nanos === 0) return null;
  if (seconds < -62135596800 || seconds > 253402300799) throw new ProtobufError("Time.MarshalJSON: year outside of range [0,9999]");
  return scalar === "time" ? printSeconds(seconds) : printMicroTime(seconds, nanos);
}

/** JSON text, or a whole protobuf body. */
function readRaw(bytes: Uint8Array, depth: number): unknown {
  if (bytes.length === 0) return null;
  if (Buffer.compare(bytes.subarray(0, 4), PROTOBUF_MAGIC) === 0) return readBody(bytes, depth + 1) ?? null;
  try {
    return parseJson(Buffer.from(bytes).toString("utf8")).value;
  } catch (cause) {
    if (cause instanceof JsonSyntaxError) throw new ProtobufError(cause.message);
    throw cause;
  }
}

function readSchemaUnion(scalar: SchemaUnion, bytes: Uint8Array, depth: number): unknown {
  const { schema, other } = UNION_FIELDS[scalar];
  const reader = createReader(bytes);
  const list: unknown[] = [];
  let allows = false;
  let found: unknown;
  for (let at = reader.next(); at !== undefined; at = reader.next()) {
    if (at.n === schema) found = readValue(reader, at.wire, JSON_SCHEMA, "schema", depth);
    else if (at.n !== other) reader.skip(at.wire);
    else if (scalar === "jsonSchemaOrBool") allows = reader.int64() !== 0;
    else list.push(readValue(reader, at.wire, scalar === "jsonSchemaOrArray" ? JSON_SCHEMA : STRING, "items", depth));
  }
  return found ?? (scalar === "jsonSchemaOrBool" ? allows : list);
}

function wrongWire(wire: number, field: string): ProtobufError {
  return new ProtobufError(`proto: wrong wireType = ${wire} for field ${field}`);
}
