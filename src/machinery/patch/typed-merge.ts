import { sameJson } from "#machinery/deep-equal.ts";
import { isPlainObject, member, type PlainObject, setMember } from "#machinery/plain.ts";
import {
  buildSet, compareSteps, descend, EMPTY_SET, type FieldSet, type FieldSetBuilder, finishSet, isEmpty, keyStep, printStep, valueStep,
} from "./field-set.ts"; // biome-ignore format: one glance
import { DEDUCED_SCHEMA, LEAF_SCHEMA, type MergeSchema } from "./merge-schema.ts";
import { PatchError } from "./patch-error.ts";

type ListSchema = Extract<MergeSchema, { is: "list" }>;
type MapSchema = Extract<MergeSchema, { is: "map" }>;

/** The schema as it applies to this value: a value that does not fit is taken whole. */
function shapeOf(schema: MergeSchema, value: unknown): MergeSchema {
  if (value === null || value === undefined) return schema;
  if (schema.is === "map") return isPlainObject(value) ? schema : LEAF_SCHEMA;
  if (schema.is === "list") return Array.isArray(value) ? schema : LEAF_SCHEMA;
  return schema;
}

/** The step to a list item; throws PatchError for an item that cannot be told apart. */
function itemStep({ keys, keyDefault }: ListSchema, item: unknown): string {
  if (keys.length === 0) {
    if (item === null || item === undefined) throw problem("associative list without keys has an element that's an explicit null");
    if (Array.isArray(item)) throw problem("not supported: associative list with lists as elements");
    if (isPlainObject(item)) throw problem("associative list without keys has an element that's a map type");
    return valueStep(item);
  }
  if (item === null || item === undefined) throw problem("associative list with keys may not have a null element");
  if (!isPlainObject(item)) throw problem("associative list with keys may not have non-map elements");
  const found: [string, unknown][] = [];
  for (const key of keys) {
    const value = member(item, key) ?? keyDefault(key);
    if (value !== undefined) found.push([key, value]);
  }
  if (found.length > 0) return keyStep(found);
  const names = keys.map((key) => JSON.stringify(key)).join(" ");
  throw problem(
    `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
  );
}

/** Checks an applied configuration: declared fields only, list items that can be told apart, none twice. Throws PatchError. */
export function checkConfiguration(schema: MergeSchema, value: unknown): void {
  const errors: string[] = [];
  check(schema, value, "");
  if (errors.length === 1) throw problem(errors[0] ?? "");
  if (errors.length > 1) throw problem(`errors:${errors.map((error) => `\n  ${error}`).join("")}`);

  function check(of: MergeSchema, at: unknown, path: string): void {
    if (at === null || at === undefined) return;
    if (of.is === "map" && isPlainObject(at)) {
      for (const [name, inner] of Object.entries(at)) {
        const field = of.field(name);
        if (field === undefined) errors.push(`${path}.${name}: field not declared in schema`);
        else check(field, inner, `${path}.${name}`);
      }
    } else if (of.is === "list") {
      if (!Array.isArray(at)) errors.push(`${path}: expected list, got ${goValue(at)}`);
      else checkItems(of, at, path);
    } else if (of.is === "map" && of !== DEDUCED_SCHEMA) errors.push(`${path}: expected map, got ${goValue(at)}`);
  }

  function checkItems(of: ListSchema, items: readonly unknown[], path: string): void {
    const seen = new Set<string>();
    for (const [i, item] of items.entries()) {
      let step: string;
      try {
        step = itemStep(of, item);
      } catch (cause) {
        if (!(cause instanceof PatchError)) throw cause;
        errors.push(`${path}: element ${i}: ${cause.message}`);
        return;
      }
      if (seen.has(step)) errors.push(`${path}: duplicate entries for key ${printStep(step)}`);
      seen.add(step);
      check(of.item, item, path + printStep(step));
    }
  }
}

function goValue(value: unknown): string {
  return JSON.stringify(value);
}

/** All paths that the value sets. */
export function fieldSetOf(schema: MergeSchema, value: unknown): FieldSet {
  const root = buildSet();
  collect(schema, value, root);
  return finishSet(root);
}

function collect(schema: MergeSchema, value: unknown, node: FieldSetBuilder): void {
  const shape = shapeOf(schema, value);
  if (shape.is === "leaf") node.member = true;
  else if (shape.is === "map") {
    if (!isPlainObject(value)) return;
    for (const [name, inner] of Object.entries(value)) {
      const field = shape.field(name);
      if (field === undefined || inner === undefined) continue;
      const child = descend(node, `f:${name}`);
      collect(field, inner, child);
      if (inner === null || isEmptyObject(inner) || !shape.declares(name)) child.member = true;
    }
  } else if (Array.isArray(value)) {
    for (const item of value) {
      const child = descend(node, itemStep(shape, item));
      collect(shape.item, item, child);
      child.member = true;
    }
  }
}

export interface Comparison {
  readonly added: FieldSet;
  readonly removed: FieldSet;
  readonly modified: FieldSet;
}

/** What changed between two values; undefined is no value at all, null is one. */
export function compareValues(schema: MergeSchema, before: unknown, after: unknown): Comparison {
  const sets = { added: buildSet(), removed: buildSet(), modified: buildSet() };
  compareInto(schema, before, after, [], sets);
  return { added: finishSet(sets.added), removed: finishSet(sets.removed), modified: finishSet(sets.modified) };
}

type Sets = Readonly<Record<"added" | "removed" | "modified", FieldSetBuilder>>;

function insert(root: FieldSetBuilder, path: readonly string[]): void {
  let node = root;
  for (const step of path) node = descend(node, step);
  node.member = true;
}

/** All that a value brings where there was none: it, its members and its items, at a node that is new. */
function addWhole(schema: MergeSchema, value: unknown, node: FieldSetBuilder): void {
  node.member = true;
  const shape = shapeOf(schema, value);
  if (shape.is === "map" && isPlainObject(value)) {
    for (const name of Object.keys(value)) {
      const inner = member(value, name);
      const field = inner === undefined ? undefined : shape.field(name);
      if (field !== undefined) addWhole(field, inner, descend(node, `f:${name}`));
    }
  } else if (shape.is === "list" && Array.isArray(value)) {
    for (const item of value as readonly unknown[]) {
      const step = itemStep(shape, item);
      const twin = node.children.get(step);
      // Items that cannot be told apart are owned as one, without what is in them.
      if (twin === undefined) addWhole(shape.item, item, descend(node, step));
      else twin.children.clear();
    }
  }
}

/**
 * fieldsV1 of a value that comes where there was none: setToFields of what compareValues adds for it, without the set in between.
 * Throws PatchError as that does.
 */
export function wholeFields(schema: MergeSchema, value: unknown): PlainObject {
  const fields: Record<string, unknown> = {};
  const shape = shapeOf(schema, value);
  if (shape.is === "map" && isPlainObject(value)) {
    for (const name of Object.keys(value).sort()) {
      const inner = member(value, name);
      const field = inner === undefined ? undefined : shape.field(name);
      if (field === undefined) continue;
      fields["."] ??= {};
      setMember(fields, `f:${name}`, wholeFields(field, inner));
    }
  } else if (shape.is === "list" && Array.isArray(value) && value.length > 0) {
    const items = new Map<string, PlainObject>();
    for (const item of value as readonly unknown[]) {
      const step = itemStep(shape, item);
      items.set(step, items.has(step) ? {} : wholeFields(shape.item, item));
    }
    fields["."] = {};
    for (const step of [...items.keys()].sort(compareSteps)) setMember(fields, step, items.get(step));
  }
  return fields;
}

function compareInto(schema: MergeSchema, before: unknown, after: unknown, path: string[], sets: Sets): void {
  if (before === after) return;
  if (before === undefined) {
    addWhole(schema, after, path.reduce(descend, sets.added));
    return;
  }
  const [left, right] = [shapeOf(schema, before), shapeOf(schema, after)];
  const shape = left.is === right.is ? right : LEAF_SCHEMA;
  if (shape.is === "leaf" || (isVoid(before) && isVoid(after))) {
    if (after === undefined) insert(sets.removed, path);
    else if (!sameJson(before, after)) insert(sets.modified, path);
    return;
  }
  if (shape.is === "map") compareMembers(shape, before, after, path, sets);
  else compareItems(shape, before, after, path, sets);
  if (after === undefined) insert(sets.removed, path);
}

function compareMembers(shape: MapSchema, before: unknown, after: unknown, path: string[], sets: Sets): void {
  const [left, right] = [isPlainObject(before) ? before : {}, isPlainObject(after) ? after : {}];
  for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const field = shape.field(name);
    if (field === undefined) continue;
    path.push(`f:${name}`);
    compareInto(field, member(left, name), member(right, name), path, sets);
    path.pop();
  }
}

function compareItems(shape: ListSchema, before: unknown, after: unknown, path: string[], sets: Sets): void {
  const [left, right] = [itemsByStep(shape, before), itemsByStep(shape, after)];
  for (const step of new Set([...left.keys(), ...right.keys()])) {
    const [l = [], r = []] = [left.get(step), right.get(step)];
    path.push(step);
    if (l.length <= 1 && r.length <= 1) compareInto(shape.item, l[0], r[0], path, sets);
    else if (l.length === 0) insert(sets.added, path);
    else if (r.length === 0) insert(sets.removed, path);
    else if (!sameJson(l, r)) insert(sets.modified, path);
    path.pop();
  }
}

function itemsByStep(shape: ListSchema, list: unknown): Map<string, unknown[]> {
  const items = new Map<string, unknown[]>();
  if (!Array.isArray(list)) return items;
  for (const item of list as readonly unknown[]) {
    const step = itemStep(shape, item);
    const same = items.get(step);
    if (same === undefined) items.set(step, [item]);
    else same.push(item);
  }
  return items;
}

/** Lays `over` on `under`: leaves of `over` win, members and items of `under` that `over` does not mention stay. */
export function mergeValues(schema: MergeSchema, under: unknown, over: unknown): unknown {
  if (over === undefined) return under;
  if (under === undefined || under === null) return over;
  const shape = shapeOf(schema, under).is === shapeOf(schema, over).is ? shapeOf(schema, over) : LEAF_SCHEMA;
  if (shape.is === "map") {
    if (!isPlainObject(under) || !isPlainObject(over)) return over;
    const merged: Record<string, unknown> = { ...under };
    for (const [name, value] of Object.entries(over)) {
      setMember(merged, name, mergeValues(shape.field(name) ?? LEAF_SCHEMA, member(under, name), value));
    }
    return merged;
  }
  if (shape.is === "list" && Array.isArray(under) && Array.isArray(over)) return mergeLists(shape, under, over);
  return over;
}

/**
 * Items of `over` keep their order; items that only `under` has stay where they are relative to the shared ones around them.
 */
function mergeLists(shape: ListSchema, under: readonly unknown[], over: readonly unknown[]): unknown[] {
  const underSteps = under.map((item) => itemStep(shape, item));
  const overSteps = over.map((item) => itemStep(shape, item));
  const underBy = new Map(underSteps.map((step, i) => [step, under[i]] as const).toReversed());
  const overBy = new Map(overSteps.map((step, i) => [step, over[i]] as const));
  const shared = overSteps.filter((step) => underBy.has(step));
  const merged = new Set<string>();
  const result: unknown[] = [];
  let nextShared = 0;
  let [u, o] = [0, 0];
  while (u < underSteps.length || o < overSteps.length) {
    const [mine, theirs] = [underSteps[u], overSteps[o]];
    if (mine !== undefined && theirs !== undefined) {
      if (mine === theirs) {
        takeBoth(theirs);
        u++;
        o++;
        nextShared++;
        continue;
      }
      // A shared item that is not next in the order of `over`: it comes later.
      if (overBy.has(mine) && nextShared < shared.length && shared[nextShared] !== mine) {
        u++;
        continue;
      }
    }
    if (mine !== undefined) {
      if (!overBy.has(mine)) {
        result.push(under[u++]);
        continue;
      }
      if (merged.has(mine)) u++;
    }
    if (theirs !== undefined) {
      takeBoth(theirs);
      o++;
      if (shared[nextShared] === theirs) nextShared++;
    }
  }
  return result;

  function takeBoth(step: string): void {
    merged.add(step);
    result.push(mergeValues(shape.item, underBy.get(step), overBy.get(step)));
  }
}

/** The value without the paths of `gone`; undefined where nothing is left. */
export function removePaths(schema: MergeSchema, value: unknown, gone: FieldSet): unknown {
  const shape = shapeOf(schema, value);
  if (shape.is === "map" && isPlainObject(value)) return removeMembers(shape, value, gone);
  if (shape.is === "list" && Array.isArray(value)) {
    const left: unknown[] = [];
    for (const item of value as readonly unknown[]) {
      const below = gone.children.get(itemStep(shape, item));
      if (below?.member) continue;
      const kept = below === undefined || isEmpty(below) ? item : removePaths(shape.item, item, below);
      if (kept !== undefined) left.push(kept);
    }
    return left.length === 0 ? undefined : left;
  }
  // Below a leaf there are no paths; whoever names one means the leaf.
  return gone.children.size > 0 ? undefined : value;
}

function removeMembers(shape: MapSchema, value: PlainObject, gone: FieldSet): unknown {
  const left: Record<string, unknown> = {};
  let some = false;
  for (const [name, inner] of Object.entries(value)) {
    const below = gone.children.get(`f:${name}`);
    if (below?.member) continue;
    const kept = below === undefined || isEmpty(below) ? inner : removePaths(shape.field(name) ?? LEAF_SCHEMA, inner, below);
    if (kept === undefined) continue;
    setMember(left, name, kept);
    some = true;
  }
  return some ? left : undefined;
}

/** The set with every declared field on the way to one of its paths as a path of its own. */
export function withNamedFields(schema: MergeSchema, set: FieldSet): FieldSet {
  if (set.children.size === 0) return set;
  const children = new Map<string, FieldSet>();
  for (const [step, child] of set.children) {
    const inner = withNamedFields(schemaAt(schema, step), child);
    const named = inner.children.size > 0 && step.startsWith("f:") && schema.is === "map" && schema.declares(step.slice(2));
    children.set(step, named && !inner.member ? { ...inner, member: true } : inner);
  }
  return { member: set.member, children };
}

function schemaAt(schema: MergeSchema, step: string): MergeSchema {
  if (schema.is === "map" && step.startsWith("f:")) return schema.field(step.slice(2)) ?? LEAF_SCHEMA;
  return schema.is === "list" && !step.startsWith("f:") ? schema.item : LEAF_SCHEMA;
}

/** Without paths that the schema does not know any more, and without what lies below a leaf. */
export function knownPaths(schema: MergeSchema, set: FieldSet): FieldSet {
  if (schema.is === "leaf") return set.children.size === 0 ? set : { member: true, children: EMPTY_SET.children };
  const children = new Map<string, FieldSet>();
  for (const [step, child] of set.children) {
    const known = schema.is === "map" ? step.startsWith("f:") && schema.field(step.slice(2)) !== undefined : !step.startsWith("f:");
    if (known) children.set(step, knownPaths(schemaAt(schema, step), child));
  }
  return { member: set.member, children };
}

function isVoid(value: unknown): boolean {
  return value === undefined || value === null || isEmptyObject(value) || (Array.isArray(value) && value.length === 0);
}

function isEmptyObject(value: unknown): boolean {
  return isPlainObject(value) && Object.keys(value).length === 0;
}

function problem(message: string): PatchError {
  return new PatchError("unprocessable", message);
}
