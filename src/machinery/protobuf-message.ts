import type { WireType } from "./protobuf-wire.ts";
import { parseType, type ScalarName, type SchemaField, structType, typeFacts, type ValueType } from "./schema/schema.ts";

export interface Entry {
  readonly n: number;
  readonly field?: SchemaField;
  /** An inlined type: a message of its own here, flat in JSON. */
  readonly inline?: string;
}
export interface Message {
  /** By falling number. */
  readonly lastToFirst: readonly Entry[];
  readonly byNumber: ReadonlyMap<number, Entry>;
}
const messages = new Map<string, Message>();

export function messageOf(typeName: string): Message {
  const known = messages.get(typeName);
  if (known !== undefined) return known;
  const { byName } = structType(typeName);
  const facts = typeFacts(typeName);
  const entries: Entry[] = [];
  for (const name of Object.keys(facts.fields)) {
    const field = byName.get(name);
    if (field !== undefined && field.facts.n > 0) entries.push({ n: field.facts.n, field });
  }
  for (const { type, n } of facts.inline ?? []) entries.push({ n, inline: type });
  entries.sort((a, b) => b.n - a.n);
  const message = { lastToFirst: entries, byNumber: new Map(entries.map((entry) => [entry.n, entry])) };
  messages.set(typeName, message);
  return message;
}

/** Types that wrap a list in a message, because a list cannot be nil in protobuf or stand in a map. */
export const WRAPPED_LISTS: ReadonlySet<string> = new Set(["v1.Verbs"]);

export const JSON_SCHEMA = parseType("@io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps");
export const STRING = parseType("string");
export type SchemaUnion = "jsonSchemaOrArray" | "jsonSchemaOrBool" | "jsonSchemaOrStringArray";
/** Which field holds the schema, which the alternative. */
export const UNION_FIELDS: Readonly<Record<SchemaUnion, { readonly schema: number; readonly other: number }>> = {
  jsonSchemaOrArray: { schema: 1, other: 2 },
  jsonSchemaOrBool: { schema: 2, other: 1 },
  jsonSchemaOrStringArray: { schema: 1, other: 2 },
};

export function wireOf(type: ValueType): WireType {
  return type.is === "scalar" ? (SCALAR_WIRES[type.scalar] ?? 2) : 2;
}
const SCALAR_WIRES: Readonly<Partial<Record<ScalarName, WireType>>> = { boolean: 0, int32: 0, int64: 0, double: 1 };
