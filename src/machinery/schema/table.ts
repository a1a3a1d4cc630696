/**
 * The table of facts about all built-in API types, generated from the published API definitions
 * (`scripts/gen-schema`; NOTICE names source and version). Keys are OpenAPI definition names, such as
 * `io.k8s.api.core.v1.PodSpec`.
 */
export interface SchemaTable {
  readonly source: string;
  readonly types: Readonly<Record<string, TypeFacts>>;
  /** Top-level kinds by `group/version/Kind` (`/v1/Pod`, `apps/v1/Deployment`) -> type name. */
  readonly kinds: Readonly<Record<string, string>>;
}

export interface TypeFacts {
  /** Own JSON fields, in declaration order; fields of `inline` types follow them in JSON. */
  readonly fields: Readonly<Record<string, FieldFacts>>;
  /** Types whose fields lie flat in JSON; in protobuf they are a message of their own under number `n` (0: flat there too). */
  readonly inline?: readonly { readonly type: string; readonly n: number }[];
  /** Server-side apply treats the whole object as one value. */
  readonly atomic?: true;
}

/** Short keys keep the table small. */
export interface FieldFacts {
  /**
   * Type: `string`, `boolean`, `int32`, `int64`, `double`, `bytes` (base64), `quantity`, `intOrString`, `time`, `microTime`,
   * `duration`, `raw` (any JSON object), `json` (any JSON), `fieldsV1`, `jsonSchemaOrArray`, `jsonSchemaOrBool`,
   * `jsonSchemaOrStringArray`; `[]T` a list, `{}T` a map from string, `@name` a type of the table.
   */
  readonly t: string;
  /** Protobuf field number; 0 when the field is not in protobuf. */
  readonly n: number;
  /** Omitted from JSON when it has the zero value (lists, maps and scalars; a struct that is no pointer is always written). */
  readonly o?: 1;
  /** A pointer: absent and zero are different. */
  readonly p?: 1;
  /** Omitted when zero even though it is a struct. */
  readonly z?: 1;
  /** Required in OpenAPI. */
  readonly r?: 1;
  /** x-kubernetes-list-type. */
  readonly lt?: "atomic" | "set" | "map";
  /** x-kubernetes-list-map-keys. */
  readonly lk?: readonly string[];
  /** x-kubernetes-map-type atomic. */
  readonly mt?: "atomic" | "granular";
  /** Strategic merge: merge key and strategy (`merge`, `replace`, `retainKeys`, `merge,retainKeys`). */
  readonly mk?: string;
  readonly ps?: string;
  /** Default as declared by `+default`. */
  readonly d?: unknown;
  /** Values of an enum. */
  readonly e?: readonly string[];
  /** The Go type where it is not `goTypeOf(t)`: upstream's decoding errors print it. */
  readonly g?: string;
}

const GO_SCALARS: Readonly<Record<string, string>> = {
  boolean: "bool",
  double: "float64",
  bytes: "[]uint8",
  quantity: "resource.Quantity",
  intOrString: "intstr.IntOrString",
  time: "v1.Time",
  microTime: "v1.MicroTime",
  duration: "v1.Duration",
  raw: "runtime.RawExtension",
  json: "v1.JSON",
  fieldsV1: "v1.FieldsV1",
  jsonSchemaOrArray: "v1.JSONSchemaPropsOrArray",
  jsonSchemaOrBool: "v1.JSONSchemaPropsOrBool",
  jsonSchemaOrStringArray: "v1.JSONSchemaPropsOrStringArray",
};

/** The Go type that a `t` stands for unless the field says otherwise: `[]v1.Container`. */
export function goTypeOf(t: string): string {
  if (t.startsWith("[]")) return `[]${goTypeOf(t.slice(2))}`;
  if (t.startsWith("{}")) return `map[string]${goTypeOf(t.slice(2))}`;
  if (t.startsWith("@")) return t.split(".").slice(-2).join(".");
  return GO_SCALARS[t] ?? t;
}
