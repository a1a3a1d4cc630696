import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { duplicateFieldError, JsonSyntaxError, MAX_DEPTH, parseJson, strictDecodingError, unknownFieldError } from "./json.ts";

describe("parseJson()", () => {
  test.each([
    ['{"a":1,"b":{"a":2}}', []],
    ['{"a":1,"a":2}', ["a"]],
    ['{"spec":{"replicas":1,"x":{"y":":"},"replicas":2}}', ["spec.replicas"]],
    ['{"a":[{"b":1},{"b":1,"c":"\\"","b":2}]}', ["a[1].b"]],
    ['{"a":1,"\\u0061":2}', ["a"]],
    ['{"__proto__":1,"__proto__":2}', ["__proto__"]],
    ['{"a":1,"a":2,"a":3}', ["a"]],
    ['{"a" : "b\\\\" , "c": "d:"}', []],
  ])("finds duplicate members in %s", (text, expected) => {
    expect(parseJson(text).duplicateFields).toEqual(expected);
    expect(parseJson(text).value).toEqual(JSON.parse(text));
  });

  test.each([
    ["", "unexpected end of JSON input"],
    ['{"a":', "unexpected end of JSON input"],
    ['{"a":"b', "unexpected end of JSON input"],
    ["[1,2", "unexpected end of JSON input"],
    ["x", "invalid character 'x' looking for beginning of value"],
    ["{a:1}", "invalid character 'a' looking for beginning of object key string"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b":2}', "invalid character '\"' after object key:value pair"],
    ["[1 2]", "invalid character '2' after array element"],
    ["[1,]", "invalid character ']' looking for beginning of value"],
    ["{}}", "invalid character '}' after top-level value"],
    ["nul!", "invalid character '!' in literal null (expecting 'l')"],
    ['"\t"', "invalid character '\\t' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u00g0"', "invalid character 'g' in \\u hexadecimal character escape"],
    ["-x", "invalid character 'x' in numeric literal"],
    ["1.x", "invalid character 'x' after decimal point in numeric literal"],
    ["1ex", "invalid character 'x' in exponent of numeric literal"],
    ["01", "invalid character '1' after top-level value"],
    ["'a'", "invalid character '\\'' looking for beginning of value"],
    ["kind: Pod", "invalid character 'k' looking for beginning of value"],
  ])("words the error in %j as Go does", (text, message) => {
    expect(() => parseJson(text)).toThrow(message);
  });

  test("refuses documents that are nested too deeply, whatever their size", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(parseJson(nested(MAX_DEPTH)).duplicateFields).toEqual([]);
    expect(() => parseJson(nested(MAX_DEPTH + 1))).toThrow("exceeded max depth");
    expect(() => parseJson("[".repeat(3_000_000))).toThrow("exceeded max depth");
    expect(() => parseJson('{"a":'.repeat(100_000))).toThrow("exceeded max depth");
  });

  test("reads what JSON.parse reads", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseJson(text).value).toEqual(JSON.parse(text));
      }),
    );
  });

  test("never fails with anything but a syntax error", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:01-.etrufalsn\\ x'.split("")) }), (text) => {
        expect(outcome(() => parseJson(text).value)).toEqual(outcome(() => JSON.parse(text) as unknown));
      }),
      { numRuns: 500 },
    );
  });
});

test("strictDecodingError() joins complaints", () => {
  expect(strictDecodingError([unknownFieldError("spec.foo"), duplicateFieldError("spec.replicas")])).toBe(
    'strict decoding error: unknown field "spec.foo", duplicate field "spec.replicas"',
  );
});

/** The value, or that there is none; Go's words for what is wrong are ours to choose from. */
function outcome(parse: () => unknown): unknown {
  try {
    return { value: parse() };
  } catch (cause) {
    if (cause instanceof SyntaxError) return "no JSON";
    if (cause instanceof JsonSyntaxError && /^(invalid character|unexpected end of JSON input)/.test(cause.message)) return "no JSON";
    throw cause;
  }
}
