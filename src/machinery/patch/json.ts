import { sameJson } from "#machinery/deep-equal.ts";
import { cloneJson, isPlainObject, type PlainObject, setMember } from "#machinery/plain.ts";
import { PatchError } from "./patch-error.ts";

export const MAX_JSON_PATCH_OPERATIONS = 10_000;

/** What all `copy` operations of one patch may add, in bytes of JSON: each may double the document. */
export const MAX_COPIED_BYTES = 3 * 1024 * 1024;

const MISSING = "missing value";
const BAD_INDEX = "invalid index referenced";

type Container = unknown[] | Record<string, unknown>;

/**
 * JSON patch (RFC 6902) as the upstream server applies it: `replace` of an absent member adds it, indexes may count from the end (-1), `test`
 * of an absent member against null holds. The document is not changed. Throws PatchError.
 */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new PatchError("bad", `json: cannot unmarshal ${kindOf(patch)} into Go value of type jsonpatch.Patch`);
  if (patch.length > MAX_JSON_PATCH_OPERATIONS) {
    throw new PatchError("tooLarge", `The allowed maximum operations in a JSON patch is ${MAX_JSON_PATCH_OPERATIONS}, got ${patch.length}`);
  }
  const root = cloneJson(document);
  if (!isContainer(root)) throw new PatchError("unprocessable", "Invalid JSON Document");
  const budget = { copied: 0 };
  for (const operation of patch as readonly unknown[]) {
    if (!isPlainObject(operation))
      throw new PatchError("bad", `json: cannot unmarshal ${kindOf(operation)} into Go value of type jsonpatch.Operation`);
    apply(root, operation, budget);
  }
  return root;
}

interface Budget {
  copied: number;
}

function apply(root: Container, operation: PlainObject, budget: Budget): void {
  const op = typeof operation["op"] === "string" ? operation["op"] : "unknown";
  switch (op) {
    case "add":
      return add(root, pointer(operation, "path", op), cloneJson(operation["value"] ?? null));
    case "remove":
      return remove(root, pointer(operation, "path", op));
    case "replace":
      return replace(root, pointer(operation, "path", op), cloneJson(operation["value"] ?? null));
    case "move":
      return move(root, pointer(operation, "from", op), pointer(operation, "path", op));
    case "copy":
      return copy(root, pointer(operation, "from", op), pointer(operation, "path", op), budget);
    case "test":
      return test(root, pointer(operation, "path", op), operation["value"] ?? null);
    default:
      throw new PatchError("unprocessable", `Unexpected kind: ${op}`);
  }
}

function add(root: Container, path: string, value: unknown): void {
  const { container, key } = locate(root, path);
  if (container === undefined) throw unprocessable(`add operation does not apply: doc is missing path: "${path}": ${MISSING}`);
  insert(container, key, value, `error in add for path: '${path}'`);
}

function remove(root: Container, path: string): void {
  const { container, key } = locate(root, path);
  if (container === undefined) throw unprocessable(`remove operation does not apply: doc is missing path: "${path}": ${MISSING}`);
  take(container, key, `error in remove for path: '${path}'`);
}

function replace(root: Container, path: string, value: unknown): void {
  const { container, key } = locate(root, path);
  if (container === undefined) throw unprocessable(`replace operation does not apply: doc is missing path: ${path}: ${MISSING}`);
  if (!Array.isArray(container)) return setMember(container, key, value);
  const at = existingIndex(container, key);
  if (typeof at === "string") throw unprocessable(`replace operation does not apply: doc is missing key: ${path}: ${MISSING}`);
  container[at] = value;
}

function move(root: Container, from: string, path: string): void {
  const source = locate(root, from);
  if (source.container === undefined) throw unprocessable(`move operation does not apply: doc is missing from path: ${from}: ${MISSING}`);
  const value = take(source.container, source.key, `error in move for path: '${source.key}'`);
  const target = locate(root, path);
  if (target.container === undefined) {
    throw unprocessable(`move operation does not apply: doc is missing destination path: ${path}: ${MISSING}`);
  }
  insert(target.container, target.key, value, `error in move for path: '${path}'`);
}

function copy(root: Container, from: string, path: string, budget: Budget): void {
  const source = locate(root, from);
  if (source.container === undefined) throw unprocessable(`copy operation does not apply: doc is missing from path: ${from}: ${MISSING}`);
  const value = read(source.container, source.key, `error in copy for from: '${from}'`);
  const target = locate(root, path);
  if (target.container === undefined) {
    throw unprocessable(`copy operation does not apply: doc is missing destination path: ${path}: ${MISSING}`);
  }
  const text = JSON.stringify(value ?? null);
  budget.copied += Buffer.byteLength(text);
  if (budget.copied > MAX_COPIED_BYTES) {
    const what = `the accumulated size increase of copy is ${budget.copied}, exceeding the limit ${MAX_COPIED_BYTES}`;
    throw unprocessable(`Unable to complete the copy, ${what}`);
  }
  insert(target.container, target.key, JSON.parse(text), "error while adding value during copy");
}

function test(root: Container, path: string, expected: unknown): void {
  const { container, key } = locate(root, path);
  if (container === undefined) throw unprocessable(`test operation does not apply: is missing path: ${path}: ${MISSING}`);
  const found = read(container, key, `error in test for path: '${path}'`) ?? null;
  if (!sameJson(found, expected)) throw unprocessable(`testing value ${path} failed: test failed`);
}

/** The container of the last step of the path; undefined where the way there does not exist. */
function locate(root: Container, path: string): { container: Container | undefined; key: string } {
  const steps = path.split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (steps.length < 2) return { container: undefined, key: "" };
  let container: Container | undefined = root;
  for (const step of steps.slice(1, -1)) {
    const next: unknown = Array.isArray(container) ? elementAt(container, step) : ownMember(container, step);
    if (!isContainer(next)) return { container: undefined, key: "" };
    container = next;
  }
  return { container, key: steps.at(-1) ?? "" };
}

function insert(container: Container, key: string, value: unknown, context: string): void {
  if (!Array.isArray(container)) return setMember(container, key, value);
  if (key === "-") {
    container.push(value);
    return;
  }
  const at = arrayIndex(key);
  if (at === undefined) throw unprocessable(`${context}: value was not a proper array index: '${key}': ${badNumber(key)}`);
  const size = container.length + 1;
  if (at >= size || at < -size) throw unprocessable(`${context}: Unable to access invalid index: ${at}: ${BAD_INDEX}`);
  container.splice(at < 0 ? at + size : at, 0, value);
}

/** Removes and returns. */
function take(container: Container, key: string, context: string): unknown {
  if (Array.isArray(container)) {
    const at = existingIndex(container, key);
    if (typeof at === "string") throw unprocessable(`${context}: ${at.replace("Unable to access", "Unable to remove")}`);
    return container.splice(at, 1)[0];
  }
  if (!Object.hasOwn(container, key)) throw unprocessable(`${context}: Unable to remove nonexistent key: ${key}: ${MISSING}`);
  const value = container[key];
  delete container[key];
  return value;
}

function read(container: Container, key: string, context: string): unknown {
  if (!Array.isArray(container)) return ownMember(container, key);
  const at = existingIndex(container, key);
  if (typeof at === "string") throw unprocessable(`${context}: ${at}`);
  return container[at];
}

/** The position of an element that is there, or why it is none. */
function existingIndex(list: readonly unknown[], key: string): number | string {
  const at = arrayIndex(key);
  if (at === undefined) return badNumber(key);
  if (at >= list.length || at < -list.length) return `Unable to access invalid index: ${at}: ${BAD_INDEX}`;
  return at < 0 ? at + list.length : at;
}

function elementAt(list: readonly unknown[], key: string): unknown {
  const at = existingIndex(list, key);
  return typeof at === "string" ? undefined : list[at];
}

function arrayIndex(key: string): number | undefined {
  return /^[-+]?[0-9]{1,15}$/.test(key) ? Number(key) : undefined;
}

const badNumber = (key: string): string => `strconv.Atoi: parsing ${JSON.stringify(key)}: invalid syntax`;

function pointer(operation: PlainObject, field: "path" | "from", op: string): string {
  const value = operation[field];
  if (typeof value === "string") return value;
  throw unprocessable(`${op} operation failed to decode ${field}: operation missing ${field} field: ${MISSING}`);
}

function ownMember(object: PlainObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function isContainer(value: unknown): value is Container {
  return typeof value === "object" && value !== null;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
}

function unprocessable(message: string): PatchError {
  return new PatchError("unprocessable", message);
}
