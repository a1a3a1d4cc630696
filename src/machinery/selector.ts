import { unreachable } from "#base/invariant.ts";
import type { LabelSelector } from "#machinery/api/meta-v1.ts";
import { type FieldError, formatFieldError, invalidField, unsupportedField } from "./field-error.ts";
import { goQuote } from "./go-quote.ts";
import { isLabelKey, isLabelValue } from "./names.ts";

export type SelectorOperator = "=" | "==" | "!=" | "in" | "notin" | "exists" | "!" | "gt" | "lt";

export interface LabelRequirement {
  readonly key: string;
  readonly operator: SelectorOperator;
  readonly values: readonly string[];
}

/** All requirements must hold; none matches everything. `nothing` matches no object at all. */
export interface ParsedLabelSelector {
  readonly requirements: readonly LabelRequirement[];
  readonly nothing?: true;
}

export interface FieldRequirement {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}
export type ParsedFieldSelector = readonly FieldRequirement[];

/** Text that is no selector; the message is upstream's. */
export class SelectorError extends Error {
  override readonly name = "SelectorError";
}

export const EVERYTHING: ParsedLabelSelector = { requirements: [] };
export const NOTHING: ParsedLabelSelector = { requirements: [], nothing: true };

type Labels = Readonly<Record<string, string>>;

export function matchesLabels(selector: ParsedLabelSelector, labels: Labels | undefined): boolean {
  if (selector.nothing) return false;
  for (const requirement of selector.requirements) if (!satisfies(requirement, labels)) return false;
  return true;
}

export function isEverything(selector: ParsedLabelSelector): boolean {
  return selector.nothing !== true && selector.requirements.length === 0;
}

function satisfies({ key, operator, values }: LabelRequirement, labels: Labels | undefined): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "=":
    case "==":
    case "in":
      return value !== undefined && values.includes(value);
    case "!=":
    case "notin":
      return value === undefined || !values.includes(value);
    case "exists":
      return value !== undefined;
    case "!":
      return value === undefined;
    case "gt":
    case "lt": {
      const bound = values[0];
      if (value === undefined || bound === undefined || !isInteger(value) || !isInteger(bound)) return false;
      return operator === "gt" ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
    }
    default:
      return unreachable(operator);
  }
}

/** A plain map of labels, as `spec.selector` of a Service or ReplicationController. Empty or absent selects nothing there. */
export function selectorFromMap(labels: Labels | undefined): ParsedLabelSelector {
  const entries = Object.entries(labels ?? {});
  if (entries.length === 0) return NOTHING;
  return { requirements: byKey(entries.map(([key, value]) => ({ key, operator: "=", values: [value] }))) };
}

/** The API type: absent selects nothing, empty selects everything. Throws SelectorError where it is invalid. */
export function labelSelectorFrom(selector: LabelSelector | null | undefined): ParsedLabelSelector {
  if (selector === undefined || selector === null) return NOTHING;
  const requirements: LabelRequirement[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) requirements.push(requirement(key, "=", [value]));
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const op = EXPRESSION_OPERATORS[operator];
    if (op === undefined) throw new SelectorError(`${goQuote(operator)} is not a valid label selector operator`);
    requirements.push(requirement(key, op, [...values]));
  }
  return { requirements: byKey(requirements) };
}

const EXPRESSION_OPERATORS: Readonly<Record<string, SelectorOperator | undefined>> = {
  In: "in",
  NotIn: "notin",
  Exists: "exists",
  DoesNotExist: "!",
};

const BINARY_OPERATORS: Readonly<Record<string, SelectorOperator | undefined>> = {
  in: "in",
  notin: "notin",
  "=": "=",
  "==": "==",
  "!=": "!=",
  ">": "gt",
  "<": "lt",
};

/** Text that `parseLabelSelector` reads back; `<none>` where it selects everything, as printers show it, is up to the caller. */
export function formatLabelSelector(selector: ParsedLabelSelector): string {
  return selector.requirements.map(formatRequirement).join(",");
}

function formatRequirement({ key, operator, values }: LabelRequirement): string {
  const sorted = [...values].sort(byText).join(",");
  switch (operator) {
    case "exists":
      return key;
    case "!":
      return `!${key}`;
    case "in":
    case "notin":
      return `${key} ${operator} (${sorted})`;
    case "gt":
      return `${key}>${sorted}`;
    case "lt":
      return `${key}<${sorted}`;
    case "=":
    case "==":
    case "!=":
      return `${key}${operator}${sorted}`;
    default:
      return unreachable(operator);
  }
}

interface Token {
  readonly type: "end" | "identifier" | "error" | "in" | "notin" | ")" | "(" | "," | "!" | "==" | "=" | "!=" | ">" | "<";
  readonly text: string;
}

/** `a=b,c in (d,e),!f`. Requirements come back sorted by key. Throws SelectorError. */
export function parseLabelSelector(text: string): ParsedLabelSelector {
  const tokens = scan(text);
  let position = 0;
  const requirements: LabelRequirement[] = [];
  for (;;) {
    const token = peek();
    if (token.type === "end") break;
    if (token.type !== "identifier" && token.type !== "!") {
      throw new SelectorError(`found '${token.text}', expected: !, identifier, or 'end of string'`);
    }
    try {
      requirements.push(parseRequirement());
    } catch (cause) {
      if (!(cause instanceof SelectorError)) throw cause;
      throw new SelectorError(`unable to parse requirement: ${cause.message}`, { cause });
    }
    const after = take();
    if (after.type === "end") break;
    if (after.type !== ",") throw new SelectorError(`found '${after.text}', expected: ',' or 'end of string'`);
    const next = peek();
    if (next.type !== "identifier" && next.type !== "!") throw new SelectorError(`found '${next.text}', expected: identifier after ','`);
  }
  return { requirements: byKey(requirements) };

  /** The token as a key or value: `in` and `notin` are words there. */
  function peek(): Token {
    const token = tokens[position] ?? END;
    return token.type === "in" || token.type === "notin" ? { type: "identifier", text: token.text } : token;
  }

  function take(): Token {
    const token = peek();
    position++;
    return token;
  }

  function parseRequirement(): LabelRequirement {
    let token = take();
    const negated = token.type === "!";
    if (negated) token = take();
    if (token.type !== "identifier") throw new SelectorError(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const complaints = isLabelKey(key);
    if (complaints.length > 0) throw new SelectorError(formatFieldError(invalidField("<nil>", key, complaints.join("; "))));
    const next = peek().type;
    if (negated) return requirement(key, "!", []);
    if (next === "end" || next === ",") return requirement(key, "exists", []);
    const operator = parseOperator();
    const values = operator === "in" || operator === "notin" ? parseValues() : [parseExactValue()];
    return requirement(key, operator, [...new Set(values)].sort(byText));
  }

  function parseOperator(): SelectorOperator {
    const token = tokens[position++] ?? END;
    const operator = BINARY_OPERATORS[token.type];
    if (operator === undefined) throw new SelectorError(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
    return operator;
  }

  function parseExactValue(): string {
    const token = peek();
    if (token.type === "end" || token.type === ",") return "";
    position++;
    if (token.type === "identifier") return token.text;
    throw new SelectorError(`found '${token.text}', expected: identifier`);
  }

  function parseValues(): string[] {
    const open = take();
    if (open.type !== "(") throw new SelectorError(`found '${open.text}' expected: '('`);
    const first = peek();
    if (first.type === ")") {
      position++;
      return [""];
    }
    if (first.type !== "identifier" && first.type !== ",") {
      throw new SelectorError(`found '${first.text}', expected: ',', ')' or identifier`);
    }
    const values = parseIdentifiers();
    if (take().type !== ")") throw new SelectorError(`found '${first.text}', expected: ')'`);
    return values;
  }

  function parseIdentifiers(): string[] {
    const values: string[] = [];
    for (;;) {
      const token = take();
      const next = peek();
      if (token.type === "identifier") {
        values.push(token.text);
        if (next.type === ")") return values;
        if (next.type !== ",") throw new SelectorError(`found '${next.text}', expected: ',' or ')'`);
      } else if (token.type === ",") {
        if (values.length === 0 || next.type === ",") values.push("");
        if (next.type === ")") return [...values, ""];
      } else {
        throw new SelectorError(`found '${token.text}', expected: ',', or identifier`);
      }
    }
  }
}

const END: Token = { type: "end", text: "" };
const SYMBOLS: ReadonlySet<string> = new Set([")", "(", ",", "!", "==", "=", "!=", ">", "<"]);

function scan(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const space = /^[ \t\r\n]+/.exec(rest);
    if (space !== null) {
      at += space[0].length;
      continue;
    }
    const word = /^[^=!(),<> \t\r\n]+/.exec(rest)?.[0];
    if (word !== undefined) {
      tokens.push({ type: word === "in" || word === "notin" ? word : "identifier", text: word });
      at += word.length;
      continue;
    }
    const two = rest.slice(0, 2);
    const symbol = SYMBOLS.has(two) ? two : rest.slice(0, 1);
    tokens.push({ type: symbol as Token["type"], text: symbol });
    at += symbol.length;
  }
  return tokens;
}

function requirement(key: string, operator: SelectorOperator, values: readonly string[]): LabelRequirement {
  const errors = requirementErrors(key, operator, values);
  if (errors.length > 0) {
    const texts = [...new Set(errors.map(formatFieldError))];
    throw new SelectorError(texts.length === 1 ? (texts[0] ?? "") : `[${texts.join(", ")}]`);
  }
  return { key, operator, values };
}

function requirementErrors(key: string, operator: SelectorOperator, values: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  const keyErrors = isLabelKey(key);
  if (keyErrors.length > 0) errors.push(invalidField("key", key, keyErrors.join("; ")));
  switch (operator) {
    case "in":
    case "notin":
      if (values.length === 0) errors.push(invalidField("values", values, "for 'in', 'notin' operators, values set can't be empty"));
      break;
    case "=":
    case "==":
    case "!=":
      if (values.length !== 1) errors.push(invalidField("values", values, "exact-match compatibility requires one single value"));
      break;
    case "exists":
    case "!":
      if (values.length > 0) errors.push(invalidField("values", values, "values set must be empty for exists and does not exist"));
      break;
    case "gt":
    case "lt":
      if (values.length !== 1) errors.push(invalidField("values", values, "for 'Gt', 'Lt' operators, exactly one value is required"));
      for (const [i, value] of values.entries()) {
        if (!isInteger(value)) errors.push(invalidField(`values[${i}]`, value, "for 'Gt', 'Lt' operators, the value must be an integer"));
      }
      break;
    default:
      errors.push(unsupportedField("operator", operator, ["in", "notin", "=", "==", "!=", "gt", "lt", "exists", "!"]));
  }
  for (const [i, value] of values.entries()) {
    const complaints = isLabelValue(value);
    if (complaints.length > 0) errors.push(invalidField(`values[${i}][${key}]`, value, complaints.join("; ")));
  }
  return errors;
}

/** `metadata.name=a,spec.nodeName!=b`; `\` escapes `\`, `,` and `=` in values. Throws SelectorError. */
export function parseFieldSelector(text: string): ParsedFieldSelector {
  const requirements: FieldRequirement[] = [];
  for (const term of (text.match(/(?:[^\\,]|\\[^]|\\$)+/g) ?? []).sort(byText)) {
    const split = /^([^]*?)(!=|==|=)([^]*)$/.exec(term);
    if (split === null) throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`);
    const [, field = "", operator, value = ""] = split;
    requirements.push({ field, operator: operator === "!=" ? "!=" : "=", value: unescapeFieldValue(value) });
  }
  return requirements;
}

/** Whether all requirements hold for the object's selectable fields; a field that is not among them counts as empty. */
export function matchesFields(selector: ParsedFieldSelector, fields: Readonly<Record<string, string>>): boolean {
  return selector.every(({ field, operator, value }) => ((fields[field] ?? "") === value) === (operator === "="));
}

/** The value that `field` must have, where the selector says so. */
export function exactField(selector: ParsedFieldSelector, field: string): string | undefined {
  return selector.find((requirement) => requirement.field === field && requirement.operator === "=")?.value;
}

export function formatFieldSelector(selector: ParsedFieldSelector): string {
  return selector.map(({ field, operator, value }) => `${field}${operator}${value.replaceAll(/[\\,=]/g, (c) => `\\${c}`)}`).join(",");
}

function unescapeFieldValue(value: string): string {
  return value.replaceAll(/\\([^])?|[,=]/g, (match: string, escaped: string | undefined) => {
    if (!match.startsWith("\\")) throw new SelectorError(`invalid field selector: unescaped character in value: ${match.charCodeAt(0)}`);
    if (escaped === undefined || !"\\,=".includes(escaped)) {
      throw new SelectorError(`invalid field selector: invalid escape sequence: ${match}`);
    }
    return escaped;
  });
}

function isInteger(text: string): boolean {
  return /^[-+]?[0-9]{1,19}$/.test(text);
}

function byKey(requirements: LabelRequirement[]): LabelRequirement[] {
  return requirements.sort((a, b) => byText(a.key, b.key));
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
