import type { KubeObject } from "#machinery/object.ts";
import { isPlainObject, type PlainObject, setMember } from "#machinery/plain.ts";
import { type SchemaField, type StructType, structType, type ValueType } from "./schema.ts";

/**
 * Fills in what the table declares as `+default`, in every struct that is there; absent structs stay absent.
 * Returns the object itself where nothing changes, and never changes it.
 */
export function applyTableDefaults<T extends KubeObject>(typeName: string, object: T): T {
  return defaultStruct(structType(typeName), object as unknown as PlainObject) as unknown as T;
}

interface Plan {
  readonly defaults: readonly (readonly [SchemaField, unknown])[];
  /** Fields below which some default may apply. */
  readonly inner: readonly SchemaField[];
}
const plans = new Map<StructType, Plan>();

function defaultStruct(struct: StructType, object: PlainObject): PlainObject {
  const plan = planOf(struct);
  let output: Record<string, unknown> | undefined;
  for (const [field, value] of plan.defaults) {
    const current = object[field.name];
    if (current !== undefined && current !== null && (field.facts.p !== undefined || current !== "")) continue;
    output ??= { ...object };
    output[field.name] = value;
  }
  for (const field of plan.inner) {
    const before = object[field.name];
    if (before === undefined || before === null) continue;
    const after = defaultValue(field.type, before);
    if (after === before) continue;
    output ??= { ...object };
    output[field.name] = after;
  }
  return output === undefined ? object : inFieldOrder(struct, output);
}

function defaultValue(type: ValueType, value: unknown): unknown {
  if (type.is === "struct") return isPlainObject(value) ? defaultStruct(type.struct, value) : value;
  if (type.is === "list" && Array.isArray(value)) {
    const items: unknown[] = value.map((item: unknown) => defaultValue(type.of, item));
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  if (type.is === "map" && isPlainObject(value)) {
    let output: Record<string, unknown> | undefined;
    for (const [key, before] of Object.entries(value)) {
      const after = defaultValue(type.of, before);
      if (after === before) continue;
      output ??= { ...value };
      setMember(output, key, after);
    }
    return output ?? value;
  }
  return value;
}

function inFieldOrder(struct: StructType, object: PlainObject): PlainObject {
  const ordered: Record<string, unknown> = {};
  if (struct.kind !== undefined) for (const name of ["kind", "apiVersion"]) if (object[name] !== undefined) ordered[name] = object[name];
  for (const { name } of struct.fields) if (object[name] !== undefined) ordered[name] = object[name];
  return ordered;
}

function planOf(struct: StructType): Plan {
  const known = plans.get(struct);
  if (known !== undefined) return known;
  const plan: Plan = {
    // A default that is the zero value of a field that is no pointer changes nothing.
    defaults: struct.fields
      .filter(({ facts }) => facts.d !== undefined && (facts.p !== undefined || !isZero(facts.d)))
      .map((f) => [f, f.facts.d]),
    inner: struct.fields.filter(({ type }) => reaches(type, new Set())),
  };
  plans.set(struct, plan);
  return plan;
}

function reaches(type: ValueType, seen: Set<StructType>): boolean {
  if (type.is === "list" || type.is === "map") return reaches(type.of, seen);
  if (type.is !== "struct" || seen.has(type.struct)) return false;
  seen.add(type.struct);
  return type.struct.fields.some(
    ({ facts, type: of }) => (facts.d !== undefined && (facts.p !== undefined || !isZero(facts.d))) || reaches(of, seen),
  );
}

function isZero(value: unknown): boolean {
  return value === "" || value === 0 || value === false;
}
