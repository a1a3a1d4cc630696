import type { BodyType } from "./http/body.ts";
import { jsonBytes } from "./http/answer.ts";
import type { Representation } from "./http/negotiate.ts";
import { frameEvent } from "./http/splice.ts";
import { duplicateFieldError, JsonSyntaxError, parseJson, strictDecodingError, unknownFieldError } from "#machinery/json.ts";
import { parseYaml, YamlError } from "#machinery/yaml.ts";
import { isPlainObject } from "#machinery/plain.ts";
import { DecodeError, decodeObject } from "#machinery/schema/decode.ts";
import { applyTableDefaults } from "#machinery/schema/defaults.ts";
import { typeNameOfKind } from "#machinery/schema/schema.ts";
import { badRequest, unsupportedMediaType } from "#machinery/status.ts";
import type { KubeObject, Stored } from "#machinery/object.ts";

const decoder = new TextDecoder();

/** The object in canonical bytes. Each call makes a new one. */
export function decodeStored(bytes: Uint8Array): Stored<KubeObject> {
  return JSON.parse(decoder.decode(bytes)) as Stored<KubeObject>;
}

/** Any API value as the body of an answer. */
export function encodeBody(value: object, { pretty }: Representation): Uint8Array {
  return jsonBytes(value, pretty);
}

/** One event of a watch: a JSON line, or length-delimited protobuf. `object` is already in the format. */
export function encodeWatchFrame(type: string, object: Uint8Array, _representation: Representation): Uint8Array {
  return frameEvent(type, object.at(-1) === 0x0a ? object.subarray(0, -1) : object);
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
        throw unsupportedMediaType("protobuf request bodies are not supported yet, send application/json");
    }
  } catch (cause) {
    if (cause instanceof JsonSyntaxError || cause instanceof YamlError) throw unreadable(cause.message);
    throw cause;
  }
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
  if (kind !== type.kind || apiVersion !== type.apiVersion) {
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
    const { object, unknownFields } = decodeObject(type.typeName, root);
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
