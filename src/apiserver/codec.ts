import type { BodyType } from "./http/body.ts";
import { jsonBytes } from "./http/answer.ts";
import type { Representation } from "./http/negotiate.ts";
import { frameEvent } from "./http/splice.ts";
import { duplicateFieldError, JsonSyntaxError, parseJson, strictDecodingError, unknownFieldError } from "#machinery/json.ts";
import { required } from "#base/invariant.ts";
import { formatYaml, parseYaml, YamlError } from "#machinery/yaml.ts";
import { isPlainObject, type PlainObject } from "#machinery/plain.ts";
import { decodeEnvelope, decodeMessage, decodeProtobuf, encodeProtobuf, encodeWatchEvent } from "#machinery/protobuf.ts";
import { ProtobufError } from "#machinery/protobuf-wire.ts";
import { DecodeError, decodeObject } from "#machinery/schema/decode.ts";
import { applyTableDefaults } from "#machinery/schema/defaults.ts";
import { typeNameOfKind } from "#machinery/schema/schema.ts";
import { badRequest } from "#machinery/status.ts";
import type { KubeObject, Stored } from "#machinery/object.ts";

const decoder = new TextDecoder();

/** The object in canonical bytes. Each call makes a new one. */
export function decodeStored(bytes: Uint8Array): Stored<KubeObject> {
  return JSON.parse(decoder.decode(bytes)) as Stored<KubeObject>;
}

/** Any API value as the body of an answer. */
export function encodeBody(value: object, { format, pretty }: Representation): Uint8Array {
  switch (format) {
    case "json":
      return jsonBytes(value, pretty);
    case "yaml":
      return Buffer.from(formatYaml(value));
    case "protobuf":
      return encodeProtobuf(required(protobufType(value), "protobuf type of an answer"), value as PlainObject);
  }
}

function protobufType(value: object): string | undefined {
  const { apiVersion = "", kind = "" } = value as { readonly apiVersion?: string; readonly kind?: string };
  const slash = apiVersion.indexOf("/");
  const [group, version] = slash < 0 ? ["", apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)];
  return typeNameOfKind(group, version, kind) ?? (group === "" ? typeNameOfKind("meta.k8s.io", version, kind) : undefined);
}

/** One event of a watch: a JSON line, a YAML document, or length-delimited protobuf. `object` is already in the format. */
export function encodeWatchFrame(type: string, object: Uint8Array, { format }: Representation): Uint8Array {
  switch (format) {
    case "json":
      return frameEvent(type, object.at(-1) === 0x0a ? object.subarray(0, -1) : object);
    case "yaml":
      return Buffer.from(`---\n${formatYaml({ type, object: parseYaml(decoder.decode(object)).value })}`);
    case "protobuf": {
      const event = encodeWatchEvent(type, object);
      const frame = Buffer.allocUnsafe(event.length + 4);
      frame.writeUInt32BE(event.length);
      frame.set(event, 4);
      return frame;
    }
  }
}

export type BodyFormat = "json" | "yaml" | "protobuf";
export type FieldValidation = "Strict" | "Warn" | "Ignore";

/**
 * The typed, defaulted object in a request body. Throws 400 in upstream's words; unknown and duplicate fields are errors or warnings,
 * as asked.
 */
export function decodeBody(
  bytes: Uint8Array,
  format: BodyFormat,
  type: BodyType,
  validation: FieldValidation,
  warn: (text: string) => void,
): KubeObject {
  return withDefaults(type, decodeTyped(parseBody(bytes, format, type), type, validation, warn));
}

/** Defaults of the table, then those of the kind's own rules. */
export function withDefaults(type: BodyType, object: KubeObject): KubeObject {
  const defaulted = applyTableDefaults(type.typeName, object);
  return type.defaults?.strategy.default?.(defaulted) ?? defaulted;
}

/** A parsed document and the strict complaints its text gave rise to. */
export interface ParsedBody {
  readonly value: unknown;
  readonly complaints: readonly string[];
  readonly bytes: Uint8Array;
}

export function parseBody(bytes: Uint8Array, format: BodyFormat, type: BodyType): ParsedBody {
  const unreadable = (why: string) => unrecognized(type, `couldn't get version/kind; json parse error: ${why}`, bytes);
  try {
    switch (format) {
      case "json": {
        const { value, duplicateFields } = parseJson(decoder.decode(bytes));
        return { value, complaints: duplicateFields.map(duplicateFieldError), bytes };
      }
      case "yaml": {
        const { value, duplicateFields } = parseYaml(decoder.decode(bytes));
        return { value, complaints: duplicateFields, bytes };
      }
      case "protobuf":
        return { value: fromProtobuf(bytes, type), complaints: [], bytes };
    }
  } catch (cause) {
    if (cause instanceof JsonSyntaxError || cause instanceof YamlError) throw unreadable(cause.message);
    if (cause instanceof ProtobufError) throw unrecognized(type, cause.message, bytes);
    throw cause;
  }
}

/** The message as plain JSON. Only kind and version are looked at here; whether they are the wanted ones is checked later. */
function fromProtobuf(bytes: Uint8Array, type: BodyType): PlainObject {
  const { kind, apiVersion, raw } = decodeEnvelope(bytes);
  if (kind === type.kind) return { kind, apiVersion, ...decodeMessage(type.typeName, raw) };
  return decodeProtobuf(bytes) ?? { kind, apiVersion };
}

/** Checks the kind of a parsed body and makes it the type's. */
export function decodeTyped(body: ParsedBody, type: BodyType, validation: FieldValidation, warn: (text: string) => void): KubeObject {
  const { value, complaints, bytes } = body;
  if (!isPlainObject(value)) {
    const found = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : value === null ? "null" : typeof value;
    if (value !== null) {
      const target = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
      throw unrecognized(
        type,
        `couldn't get version/kind; json parse error: json: cannot unmarshal ${found} into Go value of type ${target}`,
        bytes,
      );
    }
  }
  const root = isPlainObject(value) ? value : {};
  const kind = typeof root["kind"] === "string" && root["kind"] !== "" ? root["kind"] : type.kind;
  const apiVersion = typeof root["apiVersion"] === "string" && root["apiVersion"] !== "" ? root["apiVersion"] : type.apiVersion;
  const version = apiVersion.slice(apiVersion.indexOf("/") + 1);
  const cannot = (why: string) => badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${type.kind}: ${why}`);
  if (kind !== type.kind || (apiVersion !== type.apiVersion && type.anyVersion !== true)) {
    const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
    if (typeNameOfKind(group, version, kind) === undefined) {
      throw cannot(
        `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`,
      );
    }
    if (kind === type.kind) {
      throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${type.apiVersion})`);
    }
    throw cannot(`converting (${version}.${kind}) to (${internalName(type)}): unknown conversion`);
  }
  try {
    const { object, unknownFields } = decodeObject(
      type.typeName,
      type.anyVersion === true ? { ...root, apiVersion: type.apiVersion } : root,
    );
    const strict = [...complaints, ...unknownFields.map(unknownFieldError)];
    if (strict.length > 0 && validation === "Strict") throw cannot(strictDecodingError(strict));
    if (validation === "Warn") for (const complaint of strict) warn(complaint);
    return object;
  } catch (cause) {
    if (cause instanceof DecodeError) throw cannot(cause.message);
    throw cause;
  }
}

/** Go's name of the unversioned type, as conversion errors print it. */
function internalName({ apiVersion, kind }: BodyType): string {
  const group = apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "core";
  return `${group.split(".")[0] ?? ""}.${kind}`;
}

function unrecognized(type: BodyType, why: string, bytes: Uint8Array): Error {
  return badRequest(`the object provided is unrecognized (must be of type ${type.kind}): ${why} (${summary(bytes)})`);
}

/** The beginning of a body for an error text: as it is where it looks like JSON, else in hexadecimal. */
function summary(bytes: Uint8Array): string {
  if (bytes.length === 0) return "<empty>";
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = buffer.subarray(0, 30);
  return `${bytes[0] === 0x7b ? start.toString() : start.toString("hex")}${bytes.length > 30 ? " ..." : ""}`;
}
