import {
  binaryTag, boolYaml11Tag, DUMP_SCHEMA, defineScalarTag, dump, FAILSAFE_SCHEMA, loadAll, mergeTag, NOT_RESOLVED, nullYaml11Tag, YAMLException,
} from "js-yaml"; // biome-ignore format: one glance
import { MAX_DEPTH } from "./json.ts";
import { setMember } from "./plain.ts";

/** Text that is no YAML. */
export class YamlError extends Error {
  override readonly name = "YamlError";
}

export interface ParsedYaml {
  readonly value: unknown;
  /** `line 4: key "a" already set in map`: the first key that occurs twice in one map, if any. The last one counts. */
  readonly duplicateFields: readonly string[];
}

/** More nodes than any document has that was not built to explode. */
const MAX_NODES = 1_000_000;

/** Integers as the Go library reads them: `010` and `0o10` are octal, underscores are skipped, `1:30` is text. */
const intTag = defineScalarTag("tag:yaml.org,2002:int", {
  implicit: true,
  implicitFirstChars: "-+0123456789".split(""),
  resolve: (source) => {
    const match = /^([-+]?)(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$/.exec(source);
    if (match === null) return NOT_RESOLVED;
    const [, sign = "", body = ""] = match;
    const digits = body.replaceAll("_", "").replace(/^0(?=[0-7])/, "0o");
    return digits === "0o" ? NOT_RESOLVED : Number(digits) * (sign === "-" ? -1 : 1) + 0;
  },
  identify: (value) => Number.isInteger(value),
});
const floatTag = defineScalarTag("tag:yaml.org,2002:float", {
  implicit: true,
  implicitFirstChars: "-+.0123456789".split(""),
  resolve: (source) => {
    if (/^[-+]?\.(inf|Inf|INF)$/.test(source)) throw new YamlError(`json: unsupported value: ${source.startsWith("-") ? "-" : "+"}Inf`);
    if (/^\.(nan|NaN|NAN)$/.test(source)) throw new YamlError("json: unsupported value: NaN");
    return /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(source) ? Number(source) : NOT_RESOLVED;
  },
  identify: (value) => typeof value === "number",
});
/** Bytes stay text: JSON has no bytes. */
const textBinaryTag = defineScalarTag(binaryTag.tagName, {
  resolve: (source) => Buffer.from(source, "base64").toString(),
  identify: () => false,
});
const SCHEMA = FAILSAFE_SCHEMA.withTags(nullYaml11Tag, boolYaml11Tag, intTag, floatTag, mergeTag, textBinaryTag);

/** The first document as JSON, read as Kubernetes reads YAML (version 1.1; no timestamps). Throws YamlError. */
export function parseYaml(text: string): ParsedYaml {
  const { documents, duplicateFields } = load(text);
  return { value: documents[0] ?? null, duplicateFields };
}

/** All documents that are not empty. Throws YamlError. */
export function parseYamlDocuments(text: string): unknown[] {
  return load(text).documents.filter((document) => document !== null && document !== undefined);
}

/** YAML as kubectl prints it: keys sorted, lists not indented, long lines kept. */
export function formatYaml(value: unknown): string {
  return dump(value, { schema: DUMP_SCHEMA, sortKeys: true, seqNoIndent: true, lineWidth: -1, noRefs: true, quoteStyle: "double" });
}

/** What the Go library says where ours says something else. */
const GO_WORDS: Readonly<Record<string, string>> = {
  "bad indentation of a mapping entry": "mapping values are not allowed in this context",
  "tab characters must not be used in indentation": "found character that cannot start any token",
};

function load(text: string): { documents: unknown[]; duplicateFields: string[] } {
  const duplicateFields: string[] = [];
  let documents: unknown[];
  try {
    documents = loadAll(text, { schema: SCHEMA, maxDepth: MAX_DEPTH });
  } catch (cause) {
    if (!isDuplicateKey(cause)) throw yamlError(cause);
    const line = cause.mark?.line ?? 0;
    const key = (text.split("\n")[line] ?? "")
      .trim()
      .replace(/^(- +)*/, "")
      .replace(/\s*:.*$/, "")
      .replace(/^(["'])(.*)\1$/, "$2");
    duplicateFields.push(`yaml: unmarshal errors:\n  line ${line + 1}: key ${JSON.stringify(key)} already set in map`);
    documents = loadOverriding(text);
  }
  return { documents: text.includes("*") ? documents.map(unshare) : documents, duplicateFields };
}

function loadOverriding(text: string): unknown[] {
  try {
    return loadAll(text, { schema: SCHEMA, maxDepth: MAX_DEPTH, json: true });
  } catch (cause) {
    throw yamlError(cause);
  }
}

function isDuplicateKey(cause: unknown): cause is YAMLException {
  return cause instanceof YAMLException && cause.reason === "duplicated mapping key";
}

function yamlError(cause: unknown): Error {
  if (cause instanceof YamlError) return new YamlError(`error converting YAML to JSON: ${cause.message}`, { cause });
  if (!(cause instanceof YAMLException)) return cause instanceof Error ? cause : new YamlError(String(cause));
  const at = cause.mark === undefined ? "" : `line ${cause.mark.line + 1}: `;
  return new YamlError(`error converting YAML to JSON: yaml: ${at}${GO_WORDS[cause.reason] ?? cause.reason}`, { cause });
}

/** Copies what aliases share, so that nobody downstream walks the same node again and again. */
function unshare(document: unknown): unknown {
  let nodes = 0;
  return copy(document, 0);

  function copy(value: unknown, depth: number): unknown {
    if (++nodes > MAX_NODES || depth > MAX_DEPTH)
      throw new YamlError("error converting YAML to JSON: yaml: document contains excessive aliasing");
    if (Array.isArray(value)) return value.map((item: unknown) => copy(item, depth + 1));
    if (typeof value !== "object" || value === null) return value;
    const object: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(value)) setMember(object, key, copy(item, depth + 1));
    return object;
  }
}
