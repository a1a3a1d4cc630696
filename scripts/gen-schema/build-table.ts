import { type FieldFacts, goTypeOf, type SchemaTable, type TypeFacts } from "#machinery/schema/table.ts";
import type { GoField, GoPackage, GoStruct } from "./go-types.ts";
import type { ApiPackage } from "./packages.ts";

const SCALARS: Readonly<Record<string, string>> = {
  string: "string",
  bool: "boolean",
  int: "int64",
  int32: "int32",
  int64: "int64",
  uint8: "int32",
  float64: "double",
  "[]byte": "bytes",
  "[]uint8": "bytes",
  "types.UID": "string",
  "resource.Quantity": "quantity",
  "intstr.IntOrString": "intOrString",
  "runtime.RawExtension": "raw",
  "runtime.Object": "raw",
  "interface{}": "json",
  "metav1.Time": "time",
  "metav1.MicroTime": "microTime",
  "metav1.Duration": "duration",
  "metav1.FieldsV1": "fieldsV1",
};
/** Named struct types whose JSON form is not that of a struct. */
const META_SCALARS: Readonly<Record<string, string>> = { Time: "time", MicroTime: "microTime", Duration: "duration", FieldsV1: "fieldsV1" };
const EXTENSION_JSON: Readonly<Record<string, string>> = {
  JSON: "json",
  JSONSchemaPropsOrArray: "jsonSchemaOrArray",
  JSONSchemaPropsOrBool: "jsonSchemaOrBool",
  JSONSchemaPropsOrStringArray: "jsonSchemaOrStringArray",
};
/** Import names in the Go sources -> module. */
const IMPORTS: Readonly<Record<string, string>> = {
  metav1: "meta-v1",
  v1: "core-v1",
  corev1: "core-v1",
  apiv1: "core-v1",
  core: "core-v1",
  authenticationv1: "authentication-v1",
  admissionregistrationv1: "admissionregistration-v1",
  autoscalingv1: "autoscaling-v1",
  apidiscoveryv2: "apidiscovery-v2",
};

export interface Source {
  readonly api: ApiPackage;
  readonly go: GoPackage;
}

/** All types that some kind reaches, as one table. */
export function buildTable(sources: readonly Source[], origin: string): SchemaTable {
  const byModule = new Map(sources.map((source) => [source.api.module, source]));
  const types: Record<string, TypeFacts> = {};
  const kinds: Record<string, string> = {};
  for (const source of sources) {
    for (const struct of source.go.structs.values()) {
      const isKind = struct.fields.some((f) => f.embedded && f.name === "TypeMeta");
      if (!isKind || struct.name === "TypeMeta") continue;
      const name = `${source.api.openapi}.${struct.name}`;
      kinds[`${source.api.group}/${source.api.version}/${struct.name}`] = name;
      addType(source, struct);
    }
  }
  return { source: origin, types: sorted(types), kinds: sorted(kinds) };

  function addType(source: Source, struct: GoStruct): string {
    const name = `${source.api.openapi}.${struct.name}`;
    if (types[name] !== undefined) return name;
    const fields: Record<string, FieldFacts> = {};
    const inline: { type: string; n: number }[] = [];
    types[name] = { fields };
    for (const field of struct.fields) {
      const json = field.tags["json"] ?? "";
      const [jsonName = "", ...flags] = json.split(",");
      if (jsonName === "-" || field.name === "TypeMeta") continue;
      const n = Number(/^\w+,(\d+)/.exec(field.tags["protobuf"] ?? "")?.[1] ?? 0);
      if (jsonName === "" && (flags.includes("inline") || field.embedded)) {
        inline.push({ type: resolve(source, field.type.replace(/^\*/, "")).slice(1), n });
        continue;
      }
      fields[jsonName === "" ? field.name : jsonName] = fieldFacts(source, field, flags, n);
    }
    types[name] = {
      fields,
      ...(inline.length > 0 ? { inline } : {}),
      ...(struct.markers.includes("structType=atomic") || struct.markers.includes("mapType=atomic") ? { atomic: true as const } : {}),
    };
    return name;
  }

  function fieldFacts(source: Source, field: GoField, flags: readonly string[], n: number): FieldFacts {
    const marker = (key: string) => field.markers.find((m) => m.startsWith(`${key}=`))?.slice(key.length + 1);
    const optional = field.markers.some((m) => m === "optional" || m === "k8s:optional" || m === "nullable");
    const omitempty = flags.includes("omitempty");
    const listType = marker("listType");
    const keys = field.markers.filter((m) => m.startsWith("listMapKey=")).map((m) => m.slice("listMapKey=".length));
    const mapType = marker("mapType") ?? marker("structType");
    const fallback = marker("default");
    const values = enumValues(source, field.type);
    const mergeKey = field.tags["patchMergeKey"];
    const strategy = field.tags["patchStrategy"];
    const t = resolve(source, field.type.replace(/^\*/, ""));
    const goType = goTypeName(source, field.type.replace(/^\*/, ""));
    return {
      t,
      n,
      ...(omitempty ? { o: 1 as const } : {}),
      ...(field.type.startsWith("*") ? { p: 1 as const } : {}),
      ...(flags.includes("omitzero") ? { z: 1 as const } : {}),
      ...(!optional && !omitempty ? { r: 1 as const } : {}),
      ...(listType === "atomic" || listType === "set" || listType === "map" ? { lt: listType } : {}),
      ...(keys.length > 0 ? { lk: keys } : {}),
      ...(mapType === "atomic" || mapType === "granular" ? { mt: mapType } : {}),
      ...(mergeKey === undefined ? {} : { mk: mergeKey }),
      ...(strategy === undefined ? {} : { ps: strategy }),
      ...(fallback === undefined ? {} : { d: defaultValue(source, fallback) }),
      ...(values === undefined ? {} : { e: values }),
      ...(goType === goTypeOf(t) ? {} : { g: goType }),
    };
  }

  /** The type as Go prints it: package name and type name. */
  function goTypeName(source: Source, goType: string): string {
    if (goType.startsWith("*")) return `*${goTypeName(source, goType.slice(1))}`;
    if (goType.startsWith("[]")) return goType === "[]byte" ? "[]uint8" : `[]${goTypeName(source, goType.slice(2))}`;
    const map = /^map\[([\w.]+)\](.+)$/.exec(goType);
    if (map?.[1] !== undefined && map[2] !== undefined) return `map[${goTypeName(source, map[1])}]${goTypeName(source, map[2])}`;
    if (/^(string|bool|int|int32|int64|uint8|float64|interface\{\})$/.test(goType)) return goType;
    if (/^(types|resource|intstr|runtime)\./.test(goType)) return goType;
    const [owner, name] = locate(source, goType);
    return `${owner?.api.version ?? "v1"}.${name}`;
  }

  function enumValues(source: Source, goType: string): readonly string[] | undefined {
    const [owner, name] = locate(source, goType.replace(/^(\*|\[\])+/, ""));
    const named = owner?.go.named.get(name);
    if (named === undefined || named.underlying !== "string" || !named.markers.includes("enum")) return undefined;
    return owner?.go.constants.get(name);
  }

  function locate(source: Source, goType: string): [Source | undefined, string] {
    const dot = goType.indexOf(".");
    if (dot < 0) return [source, goType];
    const name = goType.slice(dot + 1);
    const owner = byModule.get(IMPORTS[goType.slice(0, dot)] ?? "");
    // `v1` names core in most packages and meta in some: the one that declares the type is meant.
    const declares = owner?.go.structs.has(name) === true || owner?.go.named.has(name) === true;
    return [declares || goType.slice(0, dot) !== "v1" ? owner : byModule.get("meta-v1"), name];
  }

  function resolve(source: Source, goType: string): string {
    const scalar = SCALARS[goType];
    if (scalar !== undefined) return scalar;
    if (goType.startsWith("*")) return resolve(source, goType.slice(1));
    if (goType.startsWith("[]")) return `[]${resolve(source, goType.slice(2))}`;
    const map = /^map\[[\w.]+\](.+)$/.exec(goType);
    if (map?.[1] !== undefined) return `{}${resolve(source, map[1])}`;
    const [owner, name] = locate(source, goType);
    if (owner === undefined)
      throw new Error(`Cannot resolve Go type "${goType}" in ${source.api.module}: unknown import, wanted one of the table`);
    if (owner.api.module === "meta-v1" && META_SCALARS[name] !== undefined) return META_SCALARS[name];
    if (owner.api.module === "apiextensions-v1" && EXTENSION_JSON[name] !== undefined) return EXTENSION_JSON[name];
    const struct = owner.go.structs.get(name);
    if (struct !== undefined) return `@${addType(owner, struct)}`;
    const named = owner.go.named.get(name);
    if (named !== undefined) return resolve(owner, named.underlying);
    throw new Error(`Cannot resolve Go type "${goType}" in ${source.api.module}: not declared, wanted a struct or a named type`);
  }
}

/** JSON, or `ref(Name)` of a constant in the same package. */
function defaultValue(source: Source, text: string): unknown {
  const ref = /^ref\((?:.*\.)?(\w+)\)$/.exec(text)?.[1];
  if (ref === undefined) return JSON.parse(text) as unknown;
  const value = source.go.values.get(ref);
  if (value === undefined)
    throw new Error(`Cannot resolve default "${text}" in ${source.api.module}: no such constant, wanted one of the package`);
  return value;
}

function sorted<T>(record: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}
