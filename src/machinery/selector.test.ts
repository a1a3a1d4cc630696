import { describe, expect, test } from "vitest";
import {
  EVERYTHING, exactField, formatFieldSelector, formatLabelSelector, isEverything, labelSelectorFrom, matchesFields, matchesLabels,
  parseFieldSelector, parseLabelSelector, SelectorError, selectorFromMap,
} from "./selector.ts"; // biome-ignore format: one glance

const KEY =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

describe("parseLabelSelector()", () => {
  test.each([
    ["", ""],
    ["a=b", "a=b"],
    ["a==b", "a==b"],
    ["a!=b", "a!=b"],
    [" b = c , a in ( z , y ) ", "a in (y,z),b=c"],
    ["a notin (x)", "a notin (x)"],
    ["a", "a"],
    ["!a", "!a"],
    ["a,!b,c=d", "a,!b,c=d"],
    ["a=", "a="],
    ["x in (foo,,baz),y,z notin ()", "x in (,baz,foo),y,z notin ()"],
    ["a in (in,notin)", "a in (in,notin)"],
    ["a>1,b<2", "a>1,b<2"],
    ["in in (in)", "in in (in)"],
  ])("%j prints as %j", (text, expected) => {
    expect(formatLabelSelector(parseLabelSelector(text))).toBe(expected);
  });

  test.each([
    ["a in", "unable to parse requirement: found '' expected: '('"],
    ["a in (b", "unable to parse requirement: found '', expected: ',' or ')'"],
    ["a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ["a=b c", "found 'c', expected: ',' or 'end of string'"],
    ["a,", "found '', expected: identifier after ','"],
    [",a", "found ',', expected: !, identifier, or 'end of string'"],
    ["a=b,,c", "found ',', expected: identifier after ','"],
    ["!", "unable to parse requirement: found '', expected: identifier"],
    ["a^b=c", `unable to parse requirement: <nil>: Invalid value: "a^b": ${KEY}`],
    ["a=b/c", `unable to parse requirement: values[0][a]: Invalid value: "b/c": ${VALUE}`],
    ["a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"],
    ["a=(b)", "unable to parse requirement: found '(', expected: identifier"],
  ])("refuses %j", (text, message) => {
    expect(() => parseLabelSelector(text)).toThrow(new SelectorError(message));
  });
});

describe("matchesLabels()", () => {
  const labels = { app: "web", tier: "front", n: "5" };
  test.each([
    ["", true],
    ["app=web", true],
    ["app=db", false],
    ["app!=db", true],
    ["gone!=x", true],
    ["gone notin (x)", true],
    ["gone in (x)", false],
    ["app in (db,web),tier", true],
    ["!app", false],
    ["!gone", true],
    ["n>4,n<6", true],
    ["n>5", false],
    ["app>1", false],
    ["constructor", false],
  ])("%s", (text, expected) => {
    expect(matchesLabels(parseLabelSelector(text), labels)).toBe(expected);
  });

  test("an absent LabelSelector selects nothing, an empty one everything", () => {
    expect(matchesLabels(labelSelectorFrom(undefined), labels)).toBe(false);
    expect(matchesLabels(labelSelectorFrom(null), undefined)).toBe(false);
    expect(matchesLabels(labelSelectorFrom({}), undefined)).toBe(true);
    expect(matchesLabels(selectorFromMap({}), labels)).toBe(false);
    expect(matchesLabels(selectorFromMap({ app: "web" }), labels)).toBe(true);
    expect(isEverything(EVERYTHING)).toBe(true);
  });

  test("labelSelectorFrom() takes labels and expressions together", () => {
    const selector = labelSelectorFrom({
      matchLabels: { app: "web" },
      matchExpressions: [
        { key: "tier", operator: "In", values: ["front", "back"] },
        { key: "gone", operator: "DoesNotExist" },
      ],
    });
    expect(formatLabelSelector(selector)).toBe("app=web,!gone,tier in (back,front)");
    expect(matchesLabels(selector, labels)).toBe(true);
  });

  test.each([
    [{ key: "a", operator: "Is" }, '"Is" is not a valid label selector operator'],
    [{ key: "a", operator: "In" }, "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"],
    [
      { key: "a", operator: "Exists", values: ["b"] },
      'values: Invalid value: ["b"]: values set must be empty for exists and does not exist',
    ],
  ])("labelSelectorFrom() refuses %j", (expression, message) => {
    expect(() => labelSelectorFrom({ matchExpressions: [expression] })).toThrow(new SelectorError(message));
  });
});

describe("field selectors", () => {
  test("match by equality", () => {
    const selector = parseFieldSelector("spec.nodeName!=n1,metadata.name=a\\,b\\=c");
    expect(formatFieldSelector(selector)).toBe("metadata.name=a\\,b\\=c,spec.nodeName!=n1");
    expect(exactField(selector, "metadata.name")).toBe("a,b=c");
    expect(matchesFields(selector, { "metadata.name": "a,b=c", "spec.nodeName": "n2" })).toBe(true);
    expect(matchesFields(selector, { "metadata.name": "a,b=c", "spec.nodeName": "n1" })).toBe(false);
    expect(matchesFields(parseFieldSelector("a==,b!="), { b: "x" })).toBe(true);
    expect(parseFieldSelector("")).toEqual([]);
  });

  test.each([
    ["foo", "invalid selector: 'foo'; can't understand 'foo'"],
    ["a=b=c", "invalid field selector: unescaped character in value: 61"],
    ["a=\\x", "invalid field selector: invalid escape sequence: \\x"],
    ["a=b\\", "invalid field selector: invalid escape sequence: \\"],
  ])("refuses %j", (text, message) => {
    expect(() => parseFieldSelector(text)).toThrow(new SelectorError(message));
  });
});
