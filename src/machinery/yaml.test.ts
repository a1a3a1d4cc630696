import { describe, expect, test } from "vitest";
import { formatYaml, parseYaml, parseYamlDocuments } from "./yaml.ts";

describe("parseYaml()", () => {
  test.each([
    ["a: yes", { a: true }],
    ["a: off", { a: false }],
    ["a: 'yes'", { a: "yes" }],
    ["a: 010", { a: 8 }],
    ["a: 0o10", { a: 8 }],
    ["a: 0x1F", { a: 31 }],
    ["a: 1_000", { a: 1000 }],
    ["a: 8080:80", { a: "8080:80" }],
    ["a: 12:30", { a: "12:30" }],
    ["a: 2030-01-01", { a: "2030-01-01" }],
    ["a: ~", { a: null }],
    ["a:", { a: null }],
    ["a: 1.5", { a: 1.5 }],
    ["a: 1e3", { a: 1000 }],
    ["a: 1.2.3", { a: "1.2.3" }],
    ["80: x\nyes: y", { "80": "x", true: true }],
    ["a: &x {b: 1}\nc:\n  <<: *x\n  d: 2", { a: { b: 1 }, c: { b: 1, d: 2 } }],
    ["a: |\n  x\n  y\n", { a: "x\ny\n" }],
    ['{"a": [1, "b"]}', { a: [1, "b"] }],
    ["", null],
  ])("%j", (text, expected) => {
    expect(parseYaml(text).value).toEqual(expected);
  });

  test("reports a duplicate key and lets the last one count", () => {
    expect(parseYaml('a: 1\n"b": 2\nb: 3\n')).toEqual({
      value: { a: 1, b: 3 },
      duplicateFields: ['yaml: unmarshal errors:\n  line 3: key "b" already set in map'],
    });
  });

  test("refuses alias bombs and cycles", () => {
    const layers = "bcdefg"
      .split("")
      .map((name, i) => `${name}: &${name} [${Array.from({ length: 10 }, () => `*${"abcdef".charAt(i)}`).join(",")}]`);
    expect(() => parseYaml(`a: &a [x,x,x,x,x,x,x,x,x,x]\n${layers.join("\n")}`)).toThrow("document contains excessive aliasing");
    expect(() => parseYaml("a: &a [*a]")).toThrow("document contains excessive aliasing");
  });

  test("does not share nodes between aliases", () => {
    const { value } = parseYaml("a: &x {b: 1}\nc: *x") as { value: { a: object; c: object } };
    expect(value.c).toEqual(value.a);
    expect(value.c).not.toBe(value.a);
  });

  test.each([
    ["a: b: c", "error converting YAML to JSON: yaml: line 1: mapping values are not allowed in this context"],
    ["a:\n\t- b", "error converting YAML to JSON: yaml: line 2: found character that cannot start any token"],
    ["a: .inf", "error converting YAML to JSON: json: unsupported value: +Inf"],
  ])("refuses %j", (text, message) => {
    expect(() => parseYaml(text)).toThrow(message);
  });
});

test("parseYamlDocuments() reads a stream and skips empty documents", () => {
  expect(parseYamlDocuments("---\na: 1\n---\n---\nb: 2\n")).toEqual([{ a: 1 }, { b: 2 }]);
});

test("formatYaml() prints as kubectl does", () => {
  expect(formatYaml({ b: [{ z: 1, a: "yes" }], a: { time: "2030-01-01T00:00:00Z", n: "1", e: {} } })).toBe(
    'a:\n  e: {}\n  "n": "1"\n  time: "2030-01-01T00:00:00Z"\nb:\n- a: "yes"\n  z: 1\n',
  );
});
