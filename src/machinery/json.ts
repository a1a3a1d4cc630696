import { goQuote } from "./go-quote.ts";
import { isPlainObject, setMember } from "./plain.ts";

/** Text that is no JSON; the message is the one Go's decoder has. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
}

export interface ParsedJson {
  readonly value: unknown;
  /** Paths of members that occur more than once (`spec.replicas`), at most 100. The last one counts. */
  readonly duplicateFields: readonly string[];
}

/** Deeper documents are refused: walking them must not exhaust the stack. */
export const MAX_DEPTH = 1000;
const MAX_DUPLICATES = 100;

/** Parses JSON as Go does: duplicates are reported, syntax errors are worded as Go words them. Throws JsonSyntaxError. */
export function parseJson(text: string): ParsedJson {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    return parseSlowly(text);
  }
  // The native parser keeps the last of two equal keys: then the text has more keys than the value.
  return countMembers(value, 0) === countKeys(text) ? { value, duplicateFields: [] } : parseSlowly(text);
}

/** `duplicate field "spec.replicas"`, as strict decoding errors have it. */
export const duplicateFieldError = (path: string): string => `duplicate field ${goQuote(path)}`;
/** `unknown field "spec.foo"`. */
export const unknownFieldError = (path: string): string => `unknown field ${goQuote(path)}`;
/** All complaints of strict decoding as one text. */
export function strictDecodingError(errors: readonly string[]): string {
  return `strict decoding error: ${errors.join(", ")}`;
}

function countMembers(value: unknown, depth: number): number {
  if (typeof value !== "object" || value === null) return 0;
  if (depth >= MAX_DEPTH) throw new JsonSyntaxError("exceeded max depth");
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === "object") count += countMembers(item, depth + 1);
    return count;
  }
  if (!isPlainObject(value)) return 0;
  for (const key in value) {
    count++;
    const item = value[key];
    if (typeof item === "object") count += countMembers(item, depth + 1);
  }
  return count;
}

/** Strings of valid JSON that are followed by a colon. */
function countKeys(text: string): number {
  let count = 0;
  let at = text.indexOf('"');
  while (at >= 0) {
    let end = text.indexOf('"', at + 1);
    while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
    let next = end + 1;
    let code = text.charCodeAt(next);
    while (isSpace(code)) code = text.charCodeAt(++next);
    if (code === 58) count++;
    at = text.indexOf('"', next);
  }
  return count;
}

function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9;
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text.charCodeAt(at - 1 - slashes) === 92) slashes++;
  return slashes % 2 === 1;
}

/** A second parser for documents that the native one refuses or shortens: it knows Go's words and where duplicates are. */
function parseSlowly(text: string): ParsedJson {
  const duplicateFields: string[] = [];
  let at = 0;
  skipSpace();
  const value = parseValue("", 0);
  skipSpace();
  if (at < text.length) fail("after top-level value");
  return { value, duplicateFields };

  function parseValue(path: string, depth: number): unknown {
    if (depth > MAX_DEPTH) throw new JsonSyntaxError("exceeded max depth");
    const char = text.charAt(at);
    if (char === "{") return parseObject(path, depth);
    if (char === "[") return parseArray(path, depth);
    if (char === '"') return parseString();
    if (char === "-" || (char >= "0" && char <= "9")) return parseNumber();
    if (char === "t") return parseWord("true", true);
    if (char === "f") return parseWord("false", false);
    if (char === "n") return parseWord("null", null);
    return fail("looking for beginning of value");
  }

  function parseObject(path: string, depth: number): unknown {
    const object: Record<string, unknown> = {};
    at++;
    skipSpace();
    if (text.charAt(at) === "}") {
      at++;
      return object;
    }
    for (;;) {
      if (text.charAt(at) !== '"') fail("looking for beginning of object key string");
      const key = parseString();
      const inner = path === "" ? key : `${path}.${key}`;
      if (Object.hasOwn(object, key) && duplicateFields.length < MAX_DUPLICATES && !duplicateFields.includes(inner))
        duplicateFields.push(inner);
      skipSpace();
      if (text.charAt(at) !== ":") fail("after object key");
      at++;
      skipSpace();
      setMember(object, key, parseValue(inner, depth + 1));
      skipSpace();
      const char = text.charAt(at);
      if (char !== "," && char !== "}") fail("after object key:value pair");
      at++;
      if (char === "}") return object;
      skipSpace();
    }
  }

  function parseArray(path: string, depth: number): unknown {
    const list: unknown[] = [];
    at++;
    skipSpace();
    if (text.charAt(at) === "]") {
      at++;
      return list;
    }
    for (;;) {
      list.push(parseValue(`${path}[${list.length}]`, depth + 1));
      skipSpace();
      const char = text.charAt(at);
      if (char !== "," && char !== "]") fail("after array element");
      at++;
      if (char === "]") return list;
      skipSpace();
    }
  }

  function parseString(): string {
    const start = at++;
    for (;;) {
      const char = text.charAt(at);
      if (char === '"') break;
      if (char === "" || char < " ") fail("in string literal");
      at++;
      if (char !== "\\") continue;
      const escape = text.charAt(at);
      if (escape === "" || !'"\\/bfnrtu'.includes(escape)) fail("in string escape code");
      at++;
      if (escape !== "u") continue;
      for (let i = 0; i < 4; i++, at++) if (!/^[0-9a-fA-F]$/.test(text.charAt(at))) fail("in \\u hexadecimal character escape");
    }
    at++;
    return JSON.parse(text.slice(start, at)) as string;
  }

  function parseNumber(): number {
    const start = at;
    if (text.charAt(at) === "-") at++;
    if (text.charAt(at) === "0") at++;
    else digits("in numeric literal");
    if (text.charAt(at) === ".") {
      at++;
      digits("after decimal point in numeric literal");
    }
    if (/^[eE]$/.test(text.charAt(at))) {
      at++;
      if (/^[-+]$/.test(text.charAt(at))) at++;
      digits("in exponent of numeric literal");
    }
    return Number(text.slice(start, at));
  }

  function digits(context: string): void {
    if (!isDigit()) fail(context);
    while (isDigit()) at++;
  }

  function isDigit(): boolean {
    const char = text.charAt(at);
    return char >= "0" && char <= "9" && char !== "";
  }

  function parseWord<T>(word: string, value: T): T {
    for (let i = 0; i < word.length; i++, at++) {
      if (text.charAt(at) !== word.charAt(i)) fail(`in literal ${word} (expecting '${word.charAt(i)}')`);
    }
    return value;
  }

  function skipSpace(): void {
    while (isSpace(text.charCodeAt(at))) at++;
  }

  function fail(context: string): never {
    if (at >= text.length) throw new JsonSyntaxError("unexpected end of JSON input");
    throw new JsonSyntaxError(`invalid character ${quoteChar(text.charAt(at))} ${context}`);
  }
}

function quoteChar(char: string): string {
  if (char === "'") return "'\\''";
  if (char === '"') return "'\"'";
  return `'${goQuote(char).slice(1, -1)}'`;
}
