import { unreachable } from "#base/invariant.ts";
import { isPlainObject, member, type PlainObject } from "./plain.ts";
import { JSON_SCHEMA, messageOf, type SchemaUnion, STRING, WRAPPED_LISTS } from "./protobuf-message.ts";
import type { WireWriter } from "./protobuf-wire.ts";
import type { ScalarName, SchemaField, ValueType } from "./schema/schema.ts";
import { timeParts } from "./time.ts";

/** Writes a message from its last field to its first. Fields come out in the order of their numbers, as Go writes them. */
export function writeMessage(writer: WireWriter, typeName: string, object: PlainObject): void {
  for (const { n, field, inline } of messageOf(typeName).lastToFirst) {
    if (inline !== undefined) {
      const mark = writer.mark();
      writeMessage(writer, inline, object);
      writer.close(mark, n);
    } else if (field !== undefined) writeField(writer, n, field, member(object, field.name));
  }
}

/** Fields that are no pointer are written even when they are zero; lists and maps when they have something. */
function writeField(writer: WireWriter, n: number, { type, facts, goType }: SchemaField, value: unknown): void {
  const absent = value === undefined || value === null;
  if (type.is === "list") {
    if (!Array.isArray(value)) return;
    if (!WRAPPED_LISTS.has(goType)) return writeItems(writer, n, type.of, value);
    const mark = writer.mark();
    writeItems(writer, 1, type.of, value);
    return writer.close(mark, n);
  }
  if (type.is === "map") {
    if (isPlainObject(value)) writeMap(writer, n, type.of, value);
    return;
  }
  if (absent && (facts.p !== undefined || (type.is === "scalar" && type.scalar === "bytes"))) return;
  writeValue(writer, n, type, absent ? undefined : value);
}

function writeItems(writer: WireWriter, n: number, of: ValueType, items: readonly unknown[]): void {
  for (const item of items.toReversed()) writeValue(writer, n, of, item);
}

function writeMap(writer: WireWriter, n: number, of: ValueType, map: PlainObject): void {
  for (const key of Object.keys(map).sort().toReversed()) {
    const entry = writer.mark();
    const value = map[key];
    if (of.is === "list") {
      const list = writer.mark();
      if (Array.isArray(value)) writeItems(writer, 1, of.of, value);
      writer.close(list, 2);
    } else writeValue(writer, 2, of, value);
    writer.string(key);
    writer.tag(1, 2);
    writer.close(entry, n);
  }
}

function writeValue(writer: WireWriter, n: number, type: ValueType, value: unknown): void {
  if (type.is === "struct") {
    const mark = writer.mark();
    writeMessage(writer, type.struct.name, isPlainObject(value) ? value : {});
    writer.close(mark, n);
  } else if (type.is === "scalar") writeScalar(writer, n, type.scalar, value);
}

function writeScalar(writer: WireWriter, n: number, scalar: ScalarName, value: unknown): void {
  const mark = writer.mark();
  switch (scalar) {
    case "string":
      writer.string(textOf(value));
      return writer.tag(n, 2);
    case "bytes":
      writer.bytes(Buffer.from(textOf(value), "base64"));
      return writer.tag(n, 2);
    case "boolean":
      writer.int64(value === true ? 1 : 0);
      return writer.tag(n, 0);
    case "int32":
    case "int64":
      writer.int64(numberOf(value));
      return writer.tag(n, 0);
    case "double":
      writer.double(numberOf(value));
      return writer.tag(n, 1);
    case "quantity":
      writer.string(typeof value === "number" ? String(value) : value === undefined ? "0" : textOf(value));
      writer.tag(1, 2);
      return writer.close(mark, n);
    case "intOrString":
      writer.string(textOf(value));
      writer.tag(3, 2);
      writer.int64(numberOf(value));
      writer.tag(2, 0);
      writer.int64(typeof value === "string" ? 1 : 0);
      writer.tag(1, 0);
      return writer.close(mark, n);
    case "time":
    case "microTime":
      if (typeof value === "string") writeTime(writer, value, scalar);
      return writer.close(mark, n);
    case "duration":
      writer.int64(Number.parseInt(textOf(value), 10) || 0);
      writer.tag(1, 0);
      return writer.close(mark, n);
    case "raw":
    case "json":
    case "fieldsV1":
      if (value !== undefined && value !== null) {
        writer.bytes(Buffer.from(JSON.stringify(value)));
        writer.tag(1, 2);
      }
      return writer.close(mark, n);
    case "jsonSchemaOrArray":
    case "jsonSchemaOrBool":
    case "jsonSchemaOrStringArray":
      writeSchemaUnion(writer, scalar, value);
      return writer.close(mark, n);
    default:
      return unreachable(scalar);
  }
}

function writeTime(writer: WireWriter, text: string, scalar: "time" | "microTime"): void {
  const { seconds, nanos } = timeParts(text);
  writer.int64(scalar === "time" ? 0 : nanos);
  writer.tag(2, 0);
  writer.int64(seconds);
  writer.tag(1, 0);
}

function writeSchemaUnion(writer: WireWriter, scalar: SchemaUnion, value: unknown): void {
  if (scalar === "jsonSchemaOrBool") {
    if (isPlainObject(value)) writeValue(writer, 2, JSON_SCHEMA, value);
    writer.int64(value === true || isPlainObject(value) ? 1 : 0);
    writer.tag(1, 0);
  } else if (Array.isArray(value)) writeItems(writer, 2, scalar === "jsonSchemaOrArray" ? JSON_SCHEMA : STRING, value);
  else if (isPlainObject(value)) writeValue(writer, 1, JSON_SCHEMA, value);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
