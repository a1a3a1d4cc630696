import { required } from "#base/invariant.ts";
import { type FieldFacts, goTypeOf, type SchemaTable, type TypeFacts } from "./table.ts";
import generated from "./table.generated.json" with { type: "json" };

export const TABLE = generated as unknown as SchemaTable;

export type ScalarName =
  | "string" | "boolean" | "int32" | "int64" | "double" | "bytes" | "quantity" | "intOrString" | "time" | "microTime" | "duration"
  | "raw" | "json" | "fieldsV1" | "jsonSchemaOrArray" | "jsonSchemaOrBool" | "jsonSchemaOrStringArray"; // biome-ignore format: one glance

/** A parsed `t` (see FieldFacts). Structs are resolved on first use, because types refer to each other in circles. */
export type ValueType =
  | { readonly is: "scalar"; readonly scalar: ScalarName }
  | { readonly is: "list"; readonly of: ValueType }
  | { readonly is: "map"; readonly of: ValueType }
  | { readonly is: "struct"; readonly struct: StructType };

/** One type of the table, ready for hot paths. */
export interface StructType {
  readonly name: string;
  /** As Go prints it: `v1.Container`, and without the package. */
  readonly goType: string;
  readonly goName: string;
  readonly facts: TypeFacts;
  /** `kind` and `apiVersion` come first where it is a kind. */
  readonly kind: KindIdentity | undefined;
  /** All JSON fields, inlined ones at their place, in the order Go writes them. Without `kind` and `apiVersion`. */
  readonly fields: readonly SchemaField[];
  readonly byName: ReadonlyMap<string, SchemaField>;
}

export interface KindIdentity {
  readonly group: string;
  readonly version: string;
  readonly apiVersion: string;
  readonly kind: string;
}

export interface SchemaField {
  readonly name: string;
  readonly type: ValueType;
  readonly facts: FieldFacts;
  /** As Go prints it, pointers removed: `v1.Protocol`. */
  readonly goType: string;
  /** The inlined types between the struct and this field, outermost first. */
  readonly via: readonly { readonly type: string; readonly n: number }[];
}

const structs = new Map<string, StructType>();
const valueTypes = new Map<string, ValueType>();
const kindsByType = new Map(Object.entries(TABLE.kinds).map(([gvk, type]) => [type, identityOf(gvk)]));

/** Whether the table has this type. */
export function hasType(name: string): boolean {
  return Object.hasOwn(TABLE.types, name);
}

/** The table's entry. Throws BugError for a name that is not in it. */
export function typeFacts(name: string): TypeFacts {
  return required(TABLE.types[name], `schema type ${name}`);
}

/** The type, its inlined fields flattened; cached. Throws BugError for a name that is not in the table. */
export function structType(name: string): StructType {
  const known = structs.get(name);
  if (known !== undefined) return known;
  const fields = flatten(name, []);
  const struct: StructType = {
    name,
    goType: goTypeOf(`@${name}`),
    goName: name.slice(name.lastIndexOf(".") + 1),
    facts: typeFacts(name),
    kind: kindsByType.get(name),
    fields,
    byName: new Map(fields.map((field) => [field.name, field])),
  };
  structs.set(name, struct);
  return struct;
}

/** All JSON fields of a type, inlined ones flattened, in the order Go writes them; cached. */
export function fieldsOf(name: string): readonly SchemaField[] {
  return structType(name).fields;
}

/** The parsed form of a `t`; cached. */
export function parseType(t: string): ValueType {
  const known = valueTypes.get(t);
  if (known !== undefined) return known;
  const type = parse(t);
  valueTypes.set(t, type);
  return type;
}

/** Name of the type of a kind, or undefined for a kind that is not built in. */
export function typeNameOfKind(group: string, version: string, kind: string): string | undefined {
  return TABLE.kinds[`${group}/${version}/${kind}`];
}

function parse(t: string): ValueType {
  if (t.startsWith("[]")) return { is: "list", of: parseType(t.slice(2)) };
  if (t.startsWith("{}")) return { is: "map", of: parseType(t.slice(2)) };
  if (!t.startsWith("@")) return { is: "scalar", scalar: t as ScalarName };
  const name = t.slice(1);
  let struct: StructType | undefined;
  return {
    is: "struct",
    get struct() {
      struct ??= structType(name);
      return struct;
    },
  };
}

function flatten(name: string, via: SchemaField["via"]): SchemaField[] {
  const facts = typeFacts(name);
  const fields: SchemaField[] = [];
  const inline = [...(facts.inline ?? [])];
  for (const [field, own] of Object.entries(facts.fields)) {
    // Declaration order is the order of field numbers around inlined types.
    while (inline[0] !== undefined && inline[0].n < own.n) inlineNext();
    fields.push({ name: field, type: parseType(own.t), facts: own, goType: own.g ?? goTypeOf(own.t), via });
  }
  while (inline.length > 0) inlineNext();
  return fields;

  function inlineNext(): void {
    const next = inline.shift();
    if (next !== undefined) fields.push(...flatten(next.type, [...via, next]));
  }
}

function identityOf(gvk: string): KindIdentity {
  const [group = "", version = "", kind = ""] = gvk.split("/");
  // The meta types (Status, List, options) answer to "v1" everywhere.
  const bare = group === "" || group === "meta.k8s.io";
  return { group, version, kind, apiVersion: bare ? version : `${group}/${version}` };
}
