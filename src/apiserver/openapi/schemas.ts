import { type SchemaField, structType, type ValueType } from "#machinery/schema/schema.ts";
import type { Descriptions } from "./descriptions.ts";

/** OpenAPI as it is written; nothing here reads it back. */
export type Json = Readonly<Record<string, unknown>>;
export type OpenApiVersion = 2 | 3;

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";
const API_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";

/** Scalars that have a type of their own in OpenAPI. */
const NAMED: Readonly<Record<string, { readonly name: string; readonly of: (version: OpenApiVersion) => Json }>> = {
  quantity: {
    name: "io.k8s.apimachinery.pkg.api.resource.Quantity",
    of: (version) => (version === 2 ? { type: "string" } : { oneOf: [{ type: "string" }, { type: "number" }] }),
  },
  intOrString: {
    name: "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    of: (version) =>
      version === 2
        ? { type: "string", format: "int-or-string" }
        : { oneOf: [{ type: "integer" }, { type: "string" }], format: "int-or-string" },
  },
  time: { name: `${META}.Time`, of: () => ({ type: "string", format: "date-time" }) },
  microTime: { name: `${META}.MicroTime`, of: () => ({ type: "string", format: "date-time" }) },
  duration: { name: `${META}.Duration`, of: () => ({ type: "string" }) },
  raw: { name: "io.k8s.apimachinery.pkg.runtime.RawExtension", of: () => ({ type: "object" }) },
  fieldsV1: { name: `${META}.FieldsV1`, of: () => ({ type: "object" }) },
  json: { name: `${API_EXTENSIONS}.JSON`, of: () => ({}) },
  jsonSchemaOrArray: { name: `${API_EXTENSIONS}.JSONSchemaPropsOrArray`, of: () => ({}) },
  jsonSchemaOrBool: { name: `${API_EXTENSIONS}.JSONSchemaPropsOrBool`, of: () => ({}) },
  jsonSchemaOrStringArray: { name: `${API_EXTENSIONS}.JSONSchemaPropsOrStringArray`, of: () => ({}) },
};

const PLAIN: Readonly<Record<string, Json>> = {
  string: { type: "string" },
  boolean: { type: "boolean" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  double: { type: "number", format: "double" },
  bytes: { type: "string", format: "byte" },
};

const TYPE_META: Readonly<Record<string, string>> = {
  apiVersion:
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
  kind: "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
};

/** Pure: schemas of some types and of everything they refer to, by name. */
export function schemasOf(roots: readonly string[], version: OpenApiVersion, descriptions: Descriptions): Record<string, Json> {
  const schemas: Record<string, Json> = {};
  const pending = [...roots];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (schemas[name] === undefined) schemas[name] = structSchema(name);
  }
  return Object.fromEntries(Object.entries(schemas).toSorted(([a], [b]) => (a < b ? -1 : 1)));

  function structSchema(name: string): Json {
    const struct = structType(name);
    const texts = descriptions[name] ?? {};
    const properties: Record<string, Json> = {};
    if (struct.kind !== undefined) {
      for (const field of ["apiVersion", "kind"]) properties[field] = { description: TYPE_META[field], type: "string" };
    }
    for (const field of struct.fields) properties[field.name] = fieldSchema(field, texts[field.name]);
    const required = struct.fields.filter(({ facts }) => facts.r !== undefined).map((field) => field.name);
    return {
      ...(texts[""] === undefined ? {} : { description: texts[""] }),
      type: "object",
      ...(Object.keys(properties).length === 0 ? {} : { properties: sorted(properties) }),
      ...(required.length === 0 ? {} : { required: required.toSorted() }),
      ...(struct.kind === undefined
        ? {}
        : { "x-kubernetes-group-version-kind": [{ group: struct.kind.group, kind: struct.kind.kind, version: struct.kind.version }] }),
      ...(struct.facts.atomic === true ? { "x-kubernetes-map-type": "atomic" } : {}),
    };
  }

  function fieldSchema({ type, facts }: SchemaField, description: string | undefined): Json {
    const text = description === undefined ? {} : { description };
    const extensions = {
      ...(facts.lt === undefined ? {} : { "x-kubernetes-list-type": facts.lt }),
      ...(facts.lk === undefined ? {} : { "x-kubernetes-list-map-keys": facts.lk }),
      ...(facts.mt === undefined ? {} : { "x-kubernetes-map-type": facts.mt }),
      ...(facts.mk === undefined ? {} : { "x-kubernetes-patch-merge-key": facts.mk }),
      ...(facts.ps === undefined ? {} : { "x-kubernetes-patch-strategy": facts.ps }),
    };
    const values = facts.e === undefined ? {} : { enum: facts.e };
    const value = valueSchema(type);
    const base =
      version === 3 && "$ref" in value
        ? { allOf: [value], ...(facts.p === undefined && facts.z === undefined && type.is === "struct" ? { default: {} } : {}) }
        : value;
    const declared = facts.d === undefined ? {} : { default: facts.d };
    return { ...text, ...base, ...declared, ...values, ...extensions };
  }

  function valueSchema(type: ValueType): Json {
    switch (type.is) {
      case "scalar":
        return PLAIN[type.scalar] ?? named(type.scalar);
      case "list":
        return { type: "array", items: inner(type.of) };
      case "map":
        return { type: "object", additionalProperties: inner(type.of) };
      case "struct":
        pending.push(type.struct.name);
        return reference(type.struct.name);
    }
  }

  function inner(type: ValueType): Json {
    const value = valueSchema(type);
    return version === 3 && "$ref" in value ? { allOf: [value], ...(type.is === "struct" ? { default: {} } : {}) } : value;
  }

  function named(scalar: string): Json {
    const known = NAMED[scalar];
    if (known === undefined) return {};
    const description = descriptions[known.name]?.[""];
    schemas[known.name] ??= { ...(description === undefined ? {} : { description }), ...known.of(version) };
    return reference(known.name);
  }

  function reference(name: string): Json {
    return { $ref: `${version === 2 ? "#/definitions/" : "#/components/schemas/"}${name}` };
  }
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
