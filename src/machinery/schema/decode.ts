import { unreachable } from "#base/invariant.ts";
import type { KubeObject } from "#machinery/object.ts";
import { cloneJson, isPlainObject, type PlainObject, setMember } from "#machinery/plain.ts";
import { canonicalQuantity, QuantityError } from "#machinery/quantity.ts";
import { canonicalMicroTime, canonicalTime, TimeError, ZERO_TIME } from "#machinery/time.ts";
import { type ScalarName, type SchemaField, type StructType, structType, type ValueType } from "./schema.ts";
import { findUnknownFields } from "./unknown-fields.ts";

/** A value that cannot be the field's; the message is the one Go's decoder has. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

export interface Decoded {
  /** Shares nothing with the input. */
  readonly object: KubeObject;
  /** `spec.containers[0].bar`, in document order, at most 100. */
  readonly unknownFields: readonly string[];
}

/**
 * Turns parsed JSON into an object of the type, as Go's decoder and encoder would leave it:
 *
 * D1. Fields come in declaration order, `kind` and `apiVersion` first; both default to the type's.
 * D2. Unknown fields are dropped and reported; names match case-sensitively.
 * D3. `null` counts as absent. A field that is omitted when empty is absent when it is zero, unless it is a pointer.
 * D4. Structs that are no pointers are always there (`resources: {}`), as are scalars that are not omitted when empty (`replicas: 0`),
 *     unset times (`null`), quantities ("0") and int-or-strings (0).
 * D5. Quantities and times are in canonical form; bytes are valid base64.
 * D6. Required lists and maps are there, empty where they were absent (upstream writes `null`); required pointers stay absent.
 *
 * Throws DecodeError at the first value of a wrong type.
 */
export function decodeObject(typeName: string, value: unknown): Decoded {
  const struct = structType(typeName);
  const context: Context = { unknown: false, path: [], owner: "" };
  if (!isPlainObject(value)) throw new DecodeError(`json: cannot unmarshal ${jsonKind(value)} into Go value of type ${struct.goType}`);
  const object = decodeStruct(struct, value, context);
  if (struct.kind !== undefined) {
    object["kind"] ??= struct.kind.kind;
    object["apiVersion"] ??= struct.kind.apiVersion;
  }
  return { object: object as unknown as KubeObject, unknownFields: context.unknown ? findUnknownFields(struct, value) : [] };
}

interface Context {
  /** Some struct had a field that its type does not know. */
  unknown: boolean;
  /** Field names from the root, and the struct that has the last one: what Go's errors print. */
  readonly path: string[];
  owner: string;
}

type Output = Record<string, unknown>;
const NOTHING: PlainObject = {};

function decodeStruct(struct: StructType, input: PlainObject, context: Context): Output {
  const output: Output = {};
  let known = 0;
  if (struct.kind !== undefined) known = decodeTypeMeta(struct, input, output, context);
  for (const field of struct.fields) {
    const value = input[field.name];
    if (value === undefined || value === null) {
      if (value === null) known++;
      const zero = zeroOf(field, context);
      if (zero !== undefined) output[field.name] = zero;
      continue;
    }
    known++;
    const owner = context.owner;
    context.owner = struct.goName;
    context.path.push(field.name);
    const decoded = decodeValue(field.type, value, field.goType, context);
    context.path.pop();
    context.owner = owner;
    if (keeps(field, decoded)) output[field.name] = decoded;
    else {
      const zero = zeroOf(field, context);
      if (zero !== undefined) output[field.name] = zero;
    }
  }
  if (!context.unknown && input !== NOTHING && known !== Object.keys(input).length) context.unknown = true;
  return output;
}

/** `kind` and `apiVersion` are written only where the input has them; returns how many keys they were. */
function decodeTypeMeta(struct: StructType, input: PlainObject, output: Output, context: Context): number {
  let known = 0;
  for (const name of ["kind", "apiVersion"]) {
    const value = input[name];
    if (value === undefined) {
      // Holds the place: the root gets the type's own.
      if (context.path.length === 0) output[name] = undefined;
      continue;
    }
    known++;
    if (value === null || value === "") {
      if (context.path.length === 0) output[name] = undefined;
    } else if (typeof value === "string") output[name] = value;
    else {
      context.path.push(name);
      context.owner = struct.goName;
      mismatch(value, "string", context);
    }
  }
  return known;
}

/** Whether a decoded value is written: pointers always, others unless they are empty and omitted when so. */
function keeps({ facts, type }: SchemaField, value: unknown): boolean {
  if (value === undefined) return false;
  if (facts.p !== undefined || facts.o === undefined) return true;
  switch (type.is) {
    case "scalar":
      return value !== "" && value !== 0 && value !== false && value !== null;
    case "list":
      return (value as unknown[]).length > 0;
    case "map":
      return hasMembers(value as object);
    case "struct":
      return facts.z === undefined || hasMembers(value as object);
    default:
      return unreachable(type);
  }
}

function hasMembers(object: object): boolean {
  for (const _ in object) return true;
  return false;
}

/** What is written for an absent field; undefined for nothing. */
function zeroOf({ facts, type }: SchemaField, context: Context): unknown {
  if (facts.p !== undefined || facts.z !== undefined) return undefined;
  switch (type.is) {
    case "struct":
      return decodeStruct(type.struct, NOTHING, context);
    case "list":
      return facts.o === undefined ? [] : undefined;
    case "map":
      return facts.o === undefined ? {} : undefined;
    case "scalar":
      return zeroScalar(type.scalar, facts.o !== undefined);
    default:
      return unreachable(type);
  }
}

/** Go types with their own encoder are structs: `omitempty` never omits them. */
function zeroScalar(scalar: ScalarName, omitted: boolean): unknown {
  switch (scalar) {
    case "time":
    case "microTime":
      return null;
    case "quantity":
      return "0";
    case "intOrString":
      return 0;
    case "duration":
      return "0s";
    case "boolean":
      return omitted ? undefined : false;
    case "int32":
    case "int64":
    case "double":
      return omitted ? undefined : 0;
    case "string":
    case "bytes":
      return omitted ? undefined : "";
    case "raw":
    case "json":
    case "fieldsV1":
    case "jsonSchemaOrArray":
    case "jsonSchemaOrBool":
    case "jsonSchemaOrStringArray":
      return undefined;
    default:
      return unreachable(scalar);
  }
}

function decodeValue(type: ValueType, value: unknown, goType: string, context: Context): unknown {
  switch (type.is) {
    case "scalar":
      return decodeScalar(type.scalar, value, goType, context);
    case "struct":
      if (!isPlainObject(value)) mismatch(value, type.struct.goType, context);
      return decodeStruct(type.struct, value, context);
    case "list":
      return decodeList(type.of, value, goType, context);
    case "map":
      return decodeMap(type.of, value, goType, context);
    default:
      return unreachable(type);
  }
}

function decodeList(of: ValueType, value: unknown, goType: string, context: Context): unknown[] {
  if (!Array.isArray(value)) mismatch(value, goType, context);
  const element = goType.startsWith("[]") ? goType.slice(2) : elementType(of);
  return value.map((item: unknown) => (item === null ? zeroElement(of, context) : decodeValue(of, item, element, context)));
}

function decodeMap(of: ValueType, value: unknown, goType: string, context: Context): Output {
  if (!isPlainObject(value)) mismatch(value, goType, context);
  const output: Output = {};
  const element = elementType(of);
  for (const key of Object.keys(value)) {
    const item = value[key];
    setMember(output, key, item === null ? zeroElement(of, context) : decodeValue(of, item, element, context));
  }
  return output;
}

function elementType(type: ValueType): string {
  switch (type.is) {
    case "struct":
      return type.struct.goType;
    case "list":
      return `[]${elementType(type.of)}`;
    case "map":
      return `map[string]${elementType(type.of)}`;
    case "scalar":
      return GO_ELEMENTS[type.scalar] ?? type.scalar;
    default:
      return unreachable(type);
  }
}
const GO_ELEMENTS: Readonly<Partial<Record<ScalarName, string>>> = { boolean: "bool", double: "float64", bytes: "[]uint8" };

/** `null` among list items and map values is the zero value of their type. */
function zeroElement(type: ValueType, context: Context): unknown {
  switch (type.is) {
    case "struct":
      return decodeStruct(type.struct, NOTHING, context);
    case "list":
      return [];
    case "map":
      return {};
    case "scalar":
      return zeroScalar(type.scalar, false) ?? null;
    default:
      return unreachable(type);
  }
}

function decodeScalar(scalar: ScalarName, value: unknown, goType: string, context: Context): unknown {
  switch (scalar) {
    case "string":
    case "duration":
      if (typeof value !== "string") mismatch(value, goType, context);
      return value;
    case "boolean":
      if (typeof value !== "boolean") mismatch(value, goType, context);
      return value;
    case "int32":
    case "int64":
      return decodeInteger(value, scalar === "int32", goType, context);
    case "double":
      if (typeof value !== "number") mismatch(value, goType, context);
      return value;
    case "intOrString":
      return typeof value === "string" ? value : decodeInteger(value, true, "int32", context);
    case "quantity":
      return decodeQuantity(value);
    case "time":
    case "microTime": {
      if (typeof value !== "string") mismatch(value, "string", context);
      const time = decodeTime(scalar, value);
      return time.startsWith(ZERO_TIME.slice(0, 19)) ? undefined : time;
    }
    case "bytes":
      return decodeBytes(value, goType, context);
    case "raw":
    case "json":
    case "fieldsV1":
      return cloneJson(value);
    case "jsonSchemaOrArray":
    case "jsonSchemaOrBool":
    case "jsonSchemaOrStringArray":
      return decodeSchemaUnion(scalar, value, context);
    default:
      return unreachable(scalar);
  }
}

const MAX_INT64 = Number(2n ** 63n - 1n);

function decodeInteger(value: unknown, short: boolean, goType: string, context: Context): number {
  if (typeof value !== "number") mismatch(value, goType, context);
  const max = short ? 2147483647 : MAX_INT64;
  if (!Number.isInteger(value) || value > max || value < -max - 1) mismatch(value, goType, context, `number ${value}`);
  return value;
}

function decodeQuantity(value: unknown): string {
  const text = typeof value === "string" || typeof value === "number" ? value : JSON.stringify(value);
  try {
    return canonicalQuantity(text);
  } catch (cause) {
    if (cause instanceof QuantityError) throw new DecodeError(cause.message, { cause });
    throw cause;
  }
}

function decodeTime(scalar: "time" | "microTime", text: string): string {
  try {
    return scalar === "time" ? canonicalTime(text) : canonicalMicroTime(text);
  } catch (cause) {
    if (cause instanceof TimeError) throw new DecodeError(cause.message, { cause });
    throw cause;
  }
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function decodeBytes(value: unknown, goType: string, context: Context): string {
  if (typeof value !== "string") mismatch(value, goType, context);
  const text = value.replaceAll(/[\r\n]/g, "");
  if (!BASE64.test(text)) throw new DecodeError(`illegal base64 data at input byte ${base64ErrorAt(value)}`);
  return text;
}

/** Where Go's decoder stops: the first byte that cannot stand there, or the incomplete last group. */
function base64ErrorAt(text: string): number {
  let group = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === "\r" || char === "\n") continue;
    if (/[A-Za-z0-9+/]/.test(char)) {
      group = (group + 1) % 4;
      continue;
    }
    if (char !== "=" || group < 2) return at;
    const rest = text.slice(at + 1).replaceAll(/[\r\n]/g, "");
    if (group === 2 && !rest.startsWith("=")) return rest === "" ? text.length : at + 1;
    return at + (group === 2 ? 2 : 1);
  }
  return text.length - group;
}

const JSON_SCHEMA_PROPS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

/** The three types of apiextensions that are a schema or something else. Like upstream, they do not report unknown fields. */
function decodeSchemaUnion(scalar: ScalarName, value: unknown, context: Context): unknown {
  const inner: Context = { ...context, unknown: true };
  if (isPlainObject(value)) return decodeStruct(structType(JSON_SCHEMA_PROPS), value, inner);
  if (scalar === "jsonSchemaOrBool") {
    if (typeof value !== "boolean") throw new DecodeError("boolean or JSON schema expected");
    return value;
  }
  if (!Array.isArray(value)) return undefined;
  const of: ValueType =
    scalar === "jsonSchemaOrArray" ? { is: "struct", struct: structType(JSON_SCHEMA_PROPS) } : { is: "scalar", scalar: "string" };
  return decodeList(of, value, `[]${elementType(of)}`, inner);
}

/** What Go calls a JSON value. */
function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (value === null) return "null";
  return typeof value === "boolean" ? "bool" : typeof value;
}

function mismatch(value: unknown, goType: string, { path, owner }: Context, found = jsonKind(value)): never {
  throw new DecodeError(`json: cannot unmarshal ${found} into Go struct field ${owner}.${path.join(".")} of type ${goType}`);
}
