import protobuf from "protobufjs";
import { invariant, required } from "#base/invariant.ts";
import descriptor from "./runtime-v1.generated.json" with { type: "json" };

const root = protobuf.Root.fromJSON(descriptor);
root.resolveAll();

export type ServiceName = "RuntimeService" | "ImageService";

export interface Method {
  /** `/runtime.v1.RuntimeService/Version` */
  readonly path: string;
  readonly encode: (request: object) => Buffer;
  readonly decode: (bytes: Uint8Array) => unknown;
}

/** The wire side of one RPC: plain objects of contract.ts in, plain objects out. */
export function lookupMethod(service: ServiceName, name: string): Method {
  const method = required(root.lookupService(`runtime.v1.${service}`).methods[name], `RPC ${service}.${name}`);
  const request = root.lookupType(`runtime.v1.${method.requestType}`);
  const response = root.lookupType(`runtime.v1.${method.responseType}`);
  return {
    path: `/runtime.v1.${service}/${name}`,
    encode: (value) => encodeMessage(request, value),
    decode: (bytes) => toPlain(response, response.decode(bytes)),
  };
}

function encodeMessage(type: protobuf.Type, value: object): Buffer {
  const bytes = type.encode(type.fromObject(fromPlain(type, value))).finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Wraps the numbers that the wire carries as Int64Value and UInt64Value; unknown properties are bugs of ours. */
function fromPlain(type: protobuf.Type, value: object): Record<string, unknown> {
  const wire: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const field = type.fields[name];
    invariant(field !== undefined, `${type.name} has no field ${name}`);
    wire[name] = field.repeated ? Array.from(item as Iterable<unknown>, (each) => itemToWire(field, each)) : itemToWire(field, item);
  }
  return wire;
}

function itemToWire(field: protobuf.Field, item: unknown): unknown {
  const of = field.resolvedType;
  if (field.type === "bytes" && typeof item === "string") return Buffer.from(item); // values of environment variables
  if (field.map || !(of instanceof protobuf.Type)) return item;
  if (isWrapper(of)) return { value: item };
  return fromPlain(of, item as object);
}

function toPlain(type: protobuf.Type, message: protobuf.Message): Record<string, unknown> {
  const found = message as unknown as Readonly<Record<string, unknown>>;
  const plain: Record<string, unknown> = {};
  for (const field of type.fieldsArray) {
    const item = found[field.name];
    if (field.map) plain[field.name] = { ...(item as object) };
    else if (field.repeated) plain[field.name] = ((item ?? []) as readonly unknown[]).map((each) => itemToPlain(field, each));
    else if (field.resolvedType instanceof protobuf.Type && (item === null || item === undefined)) continue;
    else plain[field.name] = itemToPlain(field, item);
  }
  return plain;
}

function itemToPlain(field: protobuf.Field, item: unknown): unknown {
  const of = field.resolvedType;
  if (of instanceof protobuf.Enum) return of.valuesById[item as number] ?? item;
  if (of instanceof protobuf.Type) {
    if (isWrapper(of)) return toNumber((item as { value: unknown }).value);
    return toPlain(of, item as protobuf.Message);
  }
  if (field.type === "bytes") return Buffer.from(item as Uint8Array); // protobufjs has [] for what is absent
  if (field.type === "int64" || field.type === "uint64") return isTime(field.name) ? toNumber(item) / 1e6 : toNumber(item);
  return item;
}

const isWrapper = (type: protobuf.Type) => type.name === "Int64Value" || type.name === "UInt64Value";

/** The API counts these in nanoseconds. */
const isTime = (name: string) => name === "createdAt" || name === "startedAt" || name === "finishedAt" || name === "timestamp";

function toNumber(value: unknown): number {
  if (typeof value === "number") return value;
  const { low, high, unsigned } = value as { low: number; high: number; unsigned: boolean };
  return (unsigned ? high >>> 0 : high) * 2 ** 32 + (low >>> 0);
}
