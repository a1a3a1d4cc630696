import { cloneJson, isPlainObject, member, type PlainObject, setMember } from "#machinery/plain.ts";
import { parseType, type ValueType } from "#machinery/schema/schema.ts";
import type { FieldFacts } from "#machinery/schema/table.ts";
import { PatchError } from "./patch-error.ts";

const DIRECTIVE = "$patch";
const RETAIN_KEYS = "$retainKeys";
const DELETE_PREFIX = "$deleteFromPrimitiveList";
const ORDER_PREFIX = "$setElementOrder";

const BAD_DELETE_LIST = "invalid patch format of primitive list";
const BAD_RETAIN_KEYS = "invalid patch format of retainKeys";
const BAD_ORDER_LIST = "invalid patch format of setElementOrder list";

type Json = Record<string, unknown>;

/**
 * Strategic merge patch: a merge patch that knows which lists merge, by which key. Neither input is changed; the result shares
 * nothing with the patch. Throws PatchError.
 */
export function applyStrategicMergePatch(typeName: string, original: unknown, patch: unknown): unknown {
  if (!isPlainObject(original) || !isPlainObject(patch)) throw new PatchError("bad", "invalid JSON document");
  return mergeMap(original, patch, parseType(`@${typeName}`));
}

function mergeMap(original: PlainObject, patch: PlainObject, type: ValueType): Json {
  if (Object.hasOwn(patch, DIRECTIVE)) return applyDirective(patch);
  const result: Json = retainKeys(original, patch);
  const done = mergeOrderedLists(result, patch, type);
  for (const [key, value] of Object.entries(patch)) {
    if (key === RETAIN_KEYS || key.startsWith(ORDER_PREFIX) || done.has(key)) continue;
    if (key.startsWith(DELETE_PREFIX)) deleteFromPrimitiveList(result, key, value);
    else if (value === null) delete result[key];
    else mergeField(result, key, value, type);
  }
  return result;
}

/** `$patch` in a map speaks about that map as a whole. */
function applyDirective(patch: PlainObject): Json {
  const { [DIRECTIVE]: directive, ...rest } = patch;
  if (directive === "replace") return cloneJson(rest);
  if (directive === "delete") return {};
  throw badPatchType(directive, patch);
}

function mergeField(result: Json, key: string, value: unknown, type: ValueType): void {
  const before = member(result, key);
  if (Array.isArray(value) && Array.isArray(before)) {
    const field = lookup(type, key);
    setMember(result, key, strategyOf(field) === "merge" ? mergeList(before, value, field) : cloneJson(value));
  } else if (isPlainObject(value) && isPlainObject(before)) {
    const field = lookup(type, key);
    setMember(result, key, strategyOf(field) === "replace" ? cloneJson(value) : mergeMap(before, value, field.type));
  } else {
    const added = withoutDirectives(value);
    if (added === undefined) delete result[key];
    else setMember(result, key, added);
  }
}

interface Field {
  readonly type: ValueType;
  readonly facts?: FieldFacts;
}

function lookup(type: ValueType, key: string): Field {
  if (type.is === "map") return { type: type.of };
  if (type.is === "struct") {
    const field = type.struct.byName.get(key);
    if (field !== undefined) return field;
    throw new PatchError(
      "unprocessable",
      `unable to find api field in struct ${type.struct.goName} for the json field ${JSON.stringify(key)}`,
    );
  }
  const name = type.is === "scalar" ? (OPAQUE[type.scalar] ?? type.scalar) : "slice";
  throw new PatchError("unprocessable", `unable to find api field in struct ${name} for the json field ${JSON.stringify(key)}`);
}
const OPAQUE: Readonly<Record<string, string>> = { raw: "RawExtension", json: "JSON", fieldsV1: "FieldsV1" };

/** `merge`, `replace` or nothing; retainKeys stands beside them. */
function strategyOf({ facts }: Field): string | undefined {
  return facts?.ps?.split(",").find((strategy) => strategy !== "retainKeys");
}

/** `$retainKeys` names all members that shall remain. */
function retainKeys(original: PlainObject, patch: PlainObject): Json {
  const keys = patch[RETAIN_KEYS];
  if (keys === undefined) return { ...original };
  if (!Array.isArray(keys)) throw new PatchError("bad", BAD_RETAIN_KEYS);
  const retained = new Set<unknown>(keys);
  for (const [key, value] of Object.entries(patch)) {
    if (key === RETAIN_KEYS || value === null || key.startsWith(DELETE_PREFIX) || key.startsWith(ORDER_PREFIX)) continue;
    if (!retained.has(key)) throw new PatchError("bad", BAD_RETAIN_KEYS);
  }
  return Object.fromEntries(Object.entries(original).filter(([key]) => retained.has(key)));
}

function deleteFromPrimitiveList(result: Json, directive: string, values: unknown): void {
  const key = directiveKey(directive, DELETE_PREFIX, BAD_DELETE_LIST);
  const before = member(result, key);
  if (!Array.isArray(values) || !Array.isArray(before)) return;
  const gone = new Set<unknown>(values);
  setMember(
    result,
    key,
    before.filter((item: unknown) => !gone.has(item)),
  );
}

/** Lists with a `$setElementOrder` directive: merged here, together with their patch list, and put in that order. */
function mergeOrderedLists(result: Json, patch: PlainObject, type: ValueType): Set<string> {
  const done = new Set<string>();
  for (const [directive, order] of Object.entries(patch)) {
    if (!directive.startsWith(ORDER_PREFIX)) continue;
    if (!Array.isArray(order)) throw badArgument("[]interface {}", order);
    const key = directiveKey(directive, ORDER_PREFIX, BAD_ORDER_LIST);
    const before = member(result, key);
    const change = member(patch, key);
    if (before !== undefined && !Array.isArray(before)) throw badArgument("[]interface {}", before);
    if (change !== undefined && !Array.isArray(change)) throw badArgument("[]interface {}", change);
    const field = lookup(type, key);
    const mergeKey = field.facts?.mk ?? "";
    if (change !== undefined) checkOrder(change, order, mergeKey);
    done.add(key);
    if (before === undefined && change === undefined) continue;
    const original: unknown[] = before ?? [];
    const merged = mergeOrderedList(before, change, field);
    setMember(result, key, inOrder(merged, order, original, mergeKey));
  }
  return done;
}

function mergeOrderedList(before: unknown[] | undefined, change: unknown[] | undefined, field: Field): unknown[] {
  if (change === undefined) return before ?? [];
  if (before === undefined) return withoutDirectives(change) as unknown[];
  return strategyOf(field) === "merge" ? mergeList(before, change, field) : cloneJson(change);
}

/** Items of the patch must come in the order that the directive gives. */
function checkOrder(change: readonly unknown[], order: readonly unknown[], mergeKey: string): void {
  if (change.length === 0 || order.length === 0) return;
  const items = change.filter((item) => !isPlainObject(item) || !Object.hasOwn(item, DIRECTIVE));
  let at = 0;
  for (const item of order) if (at < items.length && sameItem(items[at], item, mergeKey)) at++;
  if (at >= items.length) return;
  throw new PatchError(
    "unprocessable",
    `The order in patch list:\n${goPrint(change)}\n doesn't match ${ORDER_PREFIX} list:\n${goPrint(order)}\n`,
  );
}

function mergeList(before: readonly unknown[], change: readonly unknown[], field: Field): unknown[] {
  if (before.length === 0 && change.length === 0) return [];
  const kinds = new Set([...before, ...change].map(elementKind));
  if (kinds.has("slice")) throw new PatchError("unprocessable", "lists of lists are not supported");
  if (kinds.size > 1) throw new PatchError("unprocessable", `list element types are not identical: ${goPrint([before, change])}`);
  const mergeKey = field.facts?.mk ?? "";
  if (!kinds.has("map")) return inOrder([...new Set([...before, ...change])], change, before, "");
  if (mergeKey === "") throw new PatchError("unprocessable", `cannot merge lists without merge key for ${nameOf(field)}`);
  return mergeMapList(before as readonly PlainObject[], change as readonly PlainObject[], mergeKey, field);
}

function mergeMapList(before: readonly PlainObject[], change: readonly PlainObject[], mergeKey: string, field: Field): unknown[] {
  const element = field.type.is === "list" ? field.type.of : field.type;
  const { original, items } = applyListDirectives(before, change, mergeKey);
  const merged: PlainObject[] = [...original];
  for (const item of items) {
    const value = mergeValue(item, mergeKey);
    const at = merged.findIndex((candidate) => candidate[mergeKey] === value);
    const current = merged[at];
    if (current === undefined) merged.push(withoutDirectives(item) as PlainObject);
    else merged[at] = mergeMap(current, item, element);
  }
  for (const item of merged) mergeValue(item, mergeKey);
  return inOrder(merged, items, original, mergeKey);
}

/** Elements with `$patch` delete their match, or replace the whole list by the other elements. */
function applyListDirectives(before: readonly PlainObject[], change: readonly PlainObject[], mergeKey: string) {
  let original = before;
  let replaced = false;
  const items: PlainObject[] = [];
  for (const item of change) {
    const directive = member(item, DIRECTIVE);
    if (directive === undefined) items.push(item);
    else if (directive === "delete") {
      const value = mergeValue(item, mergeKey);
      original = original.filter((candidate) => candidate[mergeKey] !== value);
    } else if (directive === "replace") replaced = true;
    else if (directive === "merge") throw new PatchError("unprocessable", "merging lists cannot yet be specified in the patch");
    else throw badPatchType(directive, item);
  }
  return replaced ? { original: cloneJson(items), items: [] } : { original, items };
}

function mergeValue(item: PlainObject, mergeKey: string): unknown {
  const value = member(item, mergeKey);
  if (value === undefined) throw new PatchError("unprocessable", `map: ${goPrint(item)} does not contain declared merge key: ${mergeKey}`);
  return value;
}

/**
 * Items named by `order` come in that order, the others in the order of `original`; where both kinds meet, `original` decides as
 * long as it knows both, and the named ones go first otherwise.
 */
function inOrder(items: readonly unknown[], order: readonly unknown[], original: readonly unknown[], mergeKey: string): unknown[] {
  const position = (list: readonly unknown[]) => {
    const at = new Map<unknown, number>();
    for (const [i, item] of list.entries()) if (!at.has(identity(item, mergeKey))) at.set(identity(item, mergeKey), i);
    return (item: unknown) => at.get(identity(item, mergeKey)) ?? -1;
  };
  const inPatch = position(order);
  const inOriginal = position(original);
  const named = items.filter((item) => inPatch(item) >= 0).sort((a, b) => inPatch(a) - inPatch(b));
  const others = items.filter((item) => inPatch(item) < 0).sort((a, b) => inOriginal(a) - inOriginal(b));
  const result: unknown[] = [];
  let next = 0;
  for (const item of others) {
    const mine = inOriginal(item);
    while (next < named.length) {
      const theirs = inOriginal(named[next]);
      if (mine >= 0 && theirs >= 0 && mine < theirs) break;
      result.push(named[next++]);
    }
    result.push(item);
  }
  return [...result, ...named.slice(next)];
}

function identity(item: unknown, mergeKey: string): unknown {
  return mergeKey === "" || !isPlainObject(item) ? item : item[mergeKey];
}

function sameItem(a: unknown, b: unknown, mergeKey: string): boolean {
  return identity(a, mergeKey) === identity(b, mergeKey);
}

/** A value that is new to the object, without directives and nulls; undefined where it is nothing but a directive. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((item) => item !== undefined);
  if (!isPlainObject(value)) return value;
  if (Object.hasOwn(value, DIRECTIVE)) return undefined;
  const result: Json = {};
  for (const [key, item] of Object.entries(value)) {
    if (item === null || key === RETAIN_KEYS || key.startsWith(ORDER_PREFIX) || key.startsWith(DELETE_PREFIX)) continue;
    const kept = withoutDirectives(item);
    if (kept !== undefined) setMember(result, key, kept);
  }
  return result;
}

function directiveKey(directive: string, prefix: string, problem: string): string {
  if (!directive.startsWith(`${prefix}/`)) throw new PatchError("bad", problem);
  return directive.slice(prefix.length + 1);
}

function elementKind(value: unknown): string {
  if (Array.isArray(value)) return "slice";
  return isPlainObject(value) ? "map" : value === null ? "nil" : typeof value;
}

function nameOf({ type }: Field): string {
  const element = type.is === "list" ? type.of : type;
  return element.is === "struct" ? element.struct.goName : element.is;
}

function badPatchType(directive: unknown, map: PlainObject): PatchError {
  return new PatchError("bad", `unknown patch type: ${goPrint(directive)} in map: ${goPrint(map)}`);
}

function badArgument(expected: string, actual: unknown): PatchError {
  const kind = elementKind(actual);
  const goType = kind === "map" ? "map[string]interface {}" : kind === "number" ? "int64" : kind === "boolean" ? "bool" : kind;
  return new PatchError("unprocessable", `expected a ${expected}, but received a ${goType}`);
}

/** A JSON value as Go's `%v` prints it. */
function goPrint(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goPrint).join(" ")}]`;
  if (isPlainObject(value)) {
    const members = Object.keys(value)
      .sort()
      .map((key) => `${key}:${goPrint(value[key])}`);
    return `map[${members.join(" ")}]`;
  }
  return value === null ? "<nil>" : String(value);
}
