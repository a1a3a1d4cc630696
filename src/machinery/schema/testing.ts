import type { KubeObject } from "#machinery/object.ts";
import { decodeObject } from "./decode.ts";
import { type StructType, structType, type ValueType } from "./schema.ts";

/** An object of the type with some of its members, chosen by the numbers of `next`, as the decoder leaves it. */
export function anyObject(typeName: string, apiVersion: string, kind: string, next: () => number): KubeObject {
  const { metadata, ...rest } = anyStruct(structType(typeName), next, 0);
  const object = { ...rest, apiVersion, kind, metadata: { ...Object(metadata), name: "a" } };
  return decodeObject(typeName, object).object;
}

function anyStruct(struct: StructType, next: () => number, depth: number): Record<string, unknown> {
  const fields = struct.fields.filter(() => depth < 2 || next() % (depth < 5 ? 2 : 8) === 0);
  return Object.fromEntries(fields.map(({ name, type }) => [name, anyValue(type, next, depth + 1)]));
}

function anyValue(type: ValueType, next: () => number, depth: number): unknown {
  switch (type.is) {
    case "struct":
      return anyStruct(type.struct, next, depth);
    case "list":
      return depth > 6 ? [] : Array.from({ length: next() % 3 }, () => anyValue(type.of, next, depth + 1));
    case "map":
      return Object.fromEntries(Array.from({ length: next() % 3 }, (_, i) => [`m${i}`, anyValue(type.of, next, depth + 1)]));
    case "scalar":
      break;
  }
  switch (type.scalar) {
    case "string":
      return `s${next()}"[]`;
    case "boolean":
      return next() % 2 === 0;
    case "int32":
    case "int64":
    case "double":
      return next();
    case "bytes":
      return "YQ==";
    case "quantity":
      return "1Gi";
    case "intOrString":
      return 80;
    case "time":
      return "2029-12-31T23:00:00Z";
    case "microTime":
      return "2029-12-31T23:00:00.000000Z";
    case "duration":
      return "1s";
    case "jsonSchemaOrBool":
      return true;
    case "jsonSchemaOrStringArray":
      return ["a"];
    case "fieldsV1":
    case "json":
    case "jsonSchemaOrArray":
    case "raw":
      return { a: ["b"] };
  }
}
