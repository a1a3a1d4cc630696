import { isPlainObject, type PlainObject, setMember } from "#machinery/plain.ts";

/**
 * A set of paths into an object, as a tree. A step is written as in fieldsV1: `f:name` a member, `k:{"name":"a"}` a list item by its
 * keys, `v:"x"` an item of a set, `i:0` an item by position. `member` says whether the path to a node is itself in the set.
 * Never changed once another function can see it.
 */
export interface FieldSet {
  readonly member: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

/** A set under construction. */
export interface FieldSetBuilder {
  member: boolean;
  readonly children: Map<string, FieldSetBuilder>;
}

const NO_CHILDREN: ReadonlyMap<string, FieldSet> = new Map();
export const EMPTY_SET: FieldSet = { member: false, children: NO_CHILDREN };
const LEAF: FieldSet = { member: true, children: NO_CHILDREN };

export function buildSet(): FieldSetBuilder {
  return { member: false, children: new Map() };
}

/** The child for one more step, made where it is missing. */
export function descend(builder: FieldSetBuilder, step: string): FieldSetBuilder {
  let child = builder.children.get(step);
  if (child === undefined) {
    child = buildSet();
    builder.children.set(step, child);
  }
  return child;
}

/** The set without nodes that lead nowhere. */
export function finishSet(builder: FieldSetBuilder): FieldSet {
  if (builder.children.size === 0) return builder;
  for (const [step, child] of builder.children) if (isEmpty(finishSet(child))) builder.children.delete(step);
  return builder;
}

/** A set of member paths: `setOf(["status"], ["metadata", "labels"])`. */
export function setOf(...paths: readonly (readonly string[])[]): FieldSet {
  const root = buildSet();
  for (const path of paths) {
    let at = root;
    for (const name of path) at = descend(at, `f:${name}`);
    at.member = true;
  }
  return root;
}

export function isEmpty(set: FieldSet): boolean {
  return !set.member && set.children.size === 0;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmpty(b)) return a;
  if (isEmpty(a)) return b;
  const children = new Map(a.children);
  for (const [step, child] of b.children) {
    const mine = children.get(step);
    children.set(step, mine === undefined ? child : union(mine, child));
  }
  return { member: a.member || b.member, children };
}

/** Paths of `a` that are not in `b`; what lies below a path in `b` stays. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a) || isEmpty(b)) return a;
  const children = new Map<string, FieldSet>();
  for (const [step, child] of a.children) {
    const theirs = b.children.get(step);
    const left = theirs === undefined ? child : difference(child, theirs);
    if (!isEmpty(left)) children.set(step, left);
  }
  return { member: a.member && !b.member, children };
}

/** Paths of `a` that are neither in `b` nor below a path in `b`. */
export function differenceBelow(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a) || isEmpty(b)) return a;
  if (b.member) return EMPTY_SET;
  const children = new Map<string, FieldSet>();
  for (const [step, child] of a.children) {
    const theirs = b.children.get(step);
    const left = theirs === undefined ? child : differenceBelow(child, theirs);
    if (!isEmpty(left)) children.set(step, left);
  }
  return { member: a.member, children };
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [step, child] of a.children) {
    const theirs = b.children.get(step);
    if (theirs === undefined) continue;
    const both = intersection(child, theirs);
    if (!isEmpty(both)) children.set(step, both);
  }
  return { member: a.member && b.member, children };
}

/** Every path, printed: `.spec.template.spec.containers[name="web"].image`; a node's own members come before what is below them. */
export function printPaths(set: FieldSet, prefix = ""): string[] {
  const steps = [...set.children].sort(([a], [b]) => compareSteps(a, b));
  const members = steps.filter(([, child]) => child.member).map(([step]) => prefix + printStep(step));
  return [...members, ...steps.flatMap(([step, child]) => printPaths(child, prefix + printStep(step)))];
}

/** `.name`, `[name="a",protocol="TCP"]`, `[="x"]`, `[0]`. */
export function printStep(step: string): string {
  const body = step.slice(2);
  switch (step.charAt(0)) {
    case "f":
      return `.${body}`;
    case "k": {
      const keys = Object.entries(JSON.parse(body) as PlainObject).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
      return `[${keys.join(",")}]`;
    }
    case "v":
      return `[=${body}]`;
    default:
      return `[${body}]`;
  }
}

/** `k:{...}` with the keys in alphabetical order. */
export function keyStep(keys: readonly (readonly [name: string, value: unknown])[]): string {
  const sorted = keys.length < 2 ? keys : [...keys].sort(([a], [b]) => (a < b ? -1 : 1));
  return `k:{${sorted.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")}}`;
}

export function valueStep(value: unknown): string {
  return `v:${JSON.stringify(value)}`;
}

/** fieldsV1 of the set; steps in upstream's order. */
export function setToFields(set: FieldSet): PlainObject {
  const fields: Record<string, unknown> = {};
  writeFields(set, fields);
  return fields;
}

function writeFields({ children }: FieldSet, fields: Record<string, unknown>): void {
  if (children.size === 0) return;
  const steps = [...children.keys()];
  if (steps.length > 1) steps.sort(compareSteps);
  for (const step of steps) {
    const child = children.get(step) ?? EMPTY_SET;
    const inner: Record<string, unknown> = {};
    if (child.member && child.children.size > 0) inner["."] = {};
    writeFields(child, inner);
    setMember(fields, step, inner);
  }
}

/** The set of fieldsV1; undefined where it is none. */
export function fieldsToSet(fields: unknown): FieldSet | undefined {
  if (!isPlainObject(fields)) return undefined;
  const root = parseNode(fields);
  return root === undefined ? undefined : { ...root, member: Object.hasOwn(fields, ".") };
}

function parseNode(fields: PlainObject): FieldSet | undefined {
  const entries = Object.entries(fields);
  if (entries.length === 0) return LEAF;
  const children = new Map<string, FieldSet>();
  let member = false;
  for (const [step, value] of entries) {
    if (step === ".") {
      member = true;
      continue;
    }
    const name = parseStep(step);
    const child = isPlainObject(value) ? parseNode(value) : undefined;
    if (name === undefined || child === undefined) return undefined;
    children.set(name, child);
  }
  return { member, children };
}

function parseStep(step: string): string | undefined {
  const body = step.slice(2);
  if (step.charAt(1) !== ":") return undefined;
  switch (step.charAt(0)) {
    case "f":
      return step;
    case "i":
      return /^-?[0-9]+$/.test(body) ? step : undefined;
    case "k": {
      const keys = parseOrUndefined(body);
      return isPlainObject(keys) ? keyStep(Object.entries(keys)) : undefined;
    }
    case "v": {
      const value = parseOrUndefined(body);
      return value === undefined ? undefined : valueStep(value);
    }
    default:
      return undefined;
  }
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

const RANK: Readonly<Record<string, number>> = { f: 0, k: 1, v: 2, i: 3 };

/** Upstream's order of steps. */
export function compareSteps(a: string, b: string): number {
  const kind = a.charAt(0);
  if (kind === "f" && b.charAt(0) === "f") return a < b ? -1 : a > b ? 1 : 0;
  const rank = (RANK[kind] ?? 4) - (RANK[b.charAt(0)] ?? 4);
  if (rank !== 0) return rank;
  if (kind === "i") return Number(a.slice(2)) - Number(b.slice(2));
  return compareValues(parseOrUndefined(a.slice(2)), parseOrUndefined(b.slice(2)));
}

/** Numbers before strings before booleans; keys by name, then by value. */
function compareValues(a: unknown, b: unknown): number {
  if (isPlainObject(a) && isPlainObject(b)) {
    const [left, right] = [Object.entries(a), Object.entries(b)];
    for (let i = 0; i < Math.min(left.length, right.length); i++) {
      const [[aName, aValue], [bName, bValue]] = [left[i] ?? ["", undefined], right[i] ?? ["", undefined]];
      const order = aName < bName ? -1 : aName > bName ? 1 : compareValues(aValue, bValue);
      if (order !== 0) return order;
    }
    return left.length - right.length;
  }
  if (typeof a === typeof b && (typeof a === "number" || typeof a === "string"))
    return a === b ? 0 : (a as string) < (b as string) ? -1 : 1;
  const order = ["number", "string", "boolean"];
  return order.indexOf(typeof a) - order.indexOf(typeof b);
}
