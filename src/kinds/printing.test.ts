import { describe, expect, test } from "vitest";
import { accessModesText, age, firstThree, humanDuration, labelsText, selectorText } from "./printing.ts";

const S = 1000;
const M = 60 * S;
const H = 60 * M;
const D = 24 * H;

describe("humanDuration()", () => {
  test.each([
    [-5 * S, "<invalid>"],
    [-S, "0s"],
    [0, "0s"],
    [5_900, "5s"],
    [119 * S, "119s"],
    [2 * M, "2m"],
    [2 * M + 3 * S, "2m3s"],
    [9 * M + 59 * S, "9m59s"],
    [10 * M + 59 * S, "10m"],
    [179 * M, "179m"],
    [3 * H, "3h"],
    [3 * H + 4 * M, "3h4m"],
    [8 * H + 30 * M, "8h"],
    [47 * H, "47h"],
    [2 * D, "2d"],
    [2 * D + 5 * H, "2d5h"],
    [8 * D + 5 * H, "8d"],
    [729 * D, "729d"],
    [2 * 365 * D, "2y"],
    [3 * 365 * D + 7 * D, "3y7d"],
    [9 * 365 * D + 7 * D, "9y"],
  ])("%d ms is %s", (ms, text) => {
    expect(humanDuration(ms)).toBe(text);
  });
});

describe("age()", () => {
  test("is <unknown> for an unset time", () => {
    expect(age(undefined, 0)).toBe("<unknown>");
    expect(age("0001-01-01T00:00:00Z", 0)).toBe("<unknown>");
  });
  test("counts from the time", () => {
    expect(age("2030-01-01T00:00:00Z", Date.parse("2030-01-06T00:00:00Z"))).toBe("5d");
  });
});

test("labelsText() sorts by key and shows <none> for nothing", () => {
  expect(labelsText({ b: "2", a: "1" })).toBe("a=1,b=2");
  expect(labelsText({})).toBe("<none>");
});

test("selectorText() writes every operator in the query syntax", () => {
  const matchExpressions = [
    { key: "tier", operator: "In", values: ["b", "a"] },
    { key: "env", operator: "NotIn", values: ["dev"] },
    { key: "has", operator: "Exists" },
    { key: "old", operator: "DoesNotExist" },
  ];
  expect(selectorText({ matchLabels: { app: "web" }, matchExpressions })).toBe("app=web,env notin (dev),has,!old,tier in (a,b)");
  expect(selectorText(undefined)).toBe("<none>");
  expect(selectorText({})).toBe("<none>");
  expect(selectorText({ matchExpressions: [{ key: "a", operator: "Near" }] })).toBe("<error>");
});

test("firstThree() counts what it leaves out", () => {
  expect(firstThree(["a", "b", "c"])).toBe("a,b,c");
  expect(firstThree(["a", "b", "c", "d", "e"])).toBe("a,b,c + 2 more...");
});

test("accessModesText() abbreviates in fixed order", () => {
  expect(accessModesText(["ReadWriteMany", "ReadWriteOnce", "ReadWriteOnce"])).toBe("RWO,RWX");
});
