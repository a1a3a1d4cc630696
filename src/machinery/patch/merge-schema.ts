import type { JSONSchemaProps } from "#machinery/api/apiextensions-v1.ts";
import { decodeObject } from "#machinery/schema/decode.ts";
import { type SchemaField, type StructType, structType, type ValueType } from "#machinery/schema/schema.ts";
import type { FieldFacts } from "#machinery/schema/table.ts";
import { isPlainObject } from "#machinery/plain.ts";

/** What server-side apply must know about a value: what is owned and merged as one, and how list items are told apart. */
export type MergeSchema =
  /** A scalar, or a list or object that is replaced whole. */
  | { readonly is: "leaf" }
  /** An object whose members are owned one by one. `field` is undefined for a member that may not be there. */
  | { readonly is: "map"; readonly field: (name: string) => MergeSchema | undefined; readonly declares: (name: string) => boolean }
  /** A list whose items are told apart by `keys`, or by their value where there are none. */
  | { readonly is: "list"; readonly keys: readonly string[]; readonly keyDefault: (key: string) => unknown; readonly item: MergeSchema };

/** The schema of one kind. */
export interface ObjectSchema {
  readonly root: MergeSchema;
  /** An object of the kind with nothing set: what a created object is compared with. Shared, never changed. */
  readonly empty: () => unknown;
}

export const LEAF_SCHEMA: MergeSchema = { is: "leaf" };

/** A value that nothing is declared about: objects member by member, lists whole. */
export const DEDUCED_SCHEMA: MergeSchema = { is: "map", field: () => DEDUCED_SCHEMA, declares: () => false };

const objects = new Map<string, ObjectSchema>();

/** The schema of a built-in kind, from the table; cached. */
export function tableObjectSchema(typeName: string): ObjectSchema {
  const known = objects.get(typeName);
  if (known !== undefined) return known;
  let empty: unknown;
  const schema: ObjectSchema = {
    root: structSchema(structType(typeName)),
    empty() {
      empty ??= decodeObject(typeName, {}).object;
      return empty;
    },
  };
  objects.set(typeName, schema);
  return schema;
}

const structSchemas = new Map<StructType, MergeSchema>();

function structSchema(struct: StructType): MergeSchema {
  const known = structSchemas.get(struct);
  if (known !== undefined) return known;
  const fields = new Map<string, MergeSchema>();
  const isTypeMeta = (name: string) => struct.kind !== undefined && (name === "kind" || name === "apiVersion");
  const schema: MergeSchema = struct.facts.atomic
    ? LEAF_SCHEMA
    : {
        is: "map",
        declares: (name) => struct.byName.has(name) || isTypeMeta(name),
        field: (name) => {
          const made = fields.get(name);
          if (made !== undefined) return made;
          const field = struct.byName.get(name);
          if (field === undefined) return isTypeMeta(name) ? LEAF_SCHEMA : undefined;
          const of = fieldSchema(field);
          fields.set(name, of);
          return of;
        },
      };
  structSchemas.set(struct, schema);
  return schema;
}

function fieldSchema({ type, facts }: SchemaField): MergeSchema {
  if (facts.mt === "atomic") return LEAF_SCHEMA;
  return type.is === "list" ? listSchema(type.of, facts) : valueSchema(type);
}

function valueSchema(type: ValueType): MergeSchema {
  if (type.is === "struct") return structSchema(type.struct);
  if (type.is !== "map") return LEAF_SCHEMA;
  const element = valueSchema(type.of);
  return { is: "map", declares: () => false, field: () => element };
}

/** Lists are atomic unless they say otherwise; older types say it by their patch strategy only. */
function listSchema(of: ValueType, { lt, lk, mk, ps }: FieldFacts): MergeSchema {
  const merges = lt === undefined && ps?.split(",").includes("merge") === true;
  if (lt !== "map" && lt !== "set" && !merges) return LEAF_SCHEMA;
  const keys = lt === "set" ? [] : (lk ?? (mk === undefined ? [] : [mk]));
  return {
    is: "list",
    keys,
    keyDefault: (key) => (of.is === "struct" ? of.struct.byName.get(key)?.facts.d : undefined),
    item: valueSchema(of),
  };
}

/** The schema of a custom resource, from the OpenAPI schema of its version. Metadata is that of all objects. */
export function openApiObjectSchema(schema: JSONSchemaProps | undefined): ObjectSchema {
  const root = schema === undefined ? DEDUCED_SCHEMA : openApiSchema(schema);
  const metadata = structSchema(structType("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"));
  const typeMeta = new Set(["kind", "apiVersion"]);
  return {
    root: {
      is: "map",
      declares: (name) => name === "metadata" || typeMeta.has(name) || (root.is === "map" && root.declares(name)),
      field: (name) => {
        if (name === "metadata") return metadata;
        if (typeMeta.has(name)) return LEAF_SCHEMA;
        return root.is === "map" ? root.field(name) : DEDUCED_SCHEMA;
      },
    },
    empty: () => ({ metadata: {} }),
  };
}

function openApiSchema(schema: JSONSchemaProps): MergeSchema {
  const { items, properties, additionalProperties } = schema;
  const unknown = schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (schema.type === "array") {
    const listType = schema["x-kubernetes-list-type"];
    if ((listType !== "map" && listType !== "set") || !isPlainObject(items)) return LEAF_SCHEMA;
    const of = items as JSONSchemaProps;
    return {
      is: "list",
      keys: listType === "set" ? [] : (schema["x-kubernetes-list-map-keys"] ?? []),
      keyDefault: (key) => of.properties?.[key]?.default,
      item: openApiSchema(of),
    };
  }
  if (schema["x-kubernetes-int-or-string"] === true || schema["x-kubernetes-map-type"] === "atomic") return LEAF_SCHEMA;
  if (schema.type !== "object" && properties === undefined) return unknown || schema.type === undefined ? DEDUCED_SCHEMA : LEAF_SCHEMA;
  const fields = new Map(Object.entries(properties ?? {}).map(([name, of]) => [name, openApiSchema(of)]));
  const others = additionalMembers(additionalProperties, unknown);
  return { is: "map", declares: (name) => fields.has(name), field: (name) => fields.get(name) ?? others };
}

function additionalMembers(additional: unknown, unknown: boolean): MergeSchema | undefined {
  if (isPlainObject(additional)) return openApiSchema(additional);
  return additional === true || unknown ? DEDUCED_SCHEMA : undefined;
}
