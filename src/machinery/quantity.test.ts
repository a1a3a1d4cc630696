import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addQuantity, canonicalQuantity, compareQuantity, formatQuantity, milliQuantity, milliValue, parseQuantity, QUANTITY_FORMAT_ERROR,
  quantityNumber, quantityOf, quantityValue, subtractQuantity,
} from "./quantity.ts"; // biome-ignore format: one glance

describe("canonicalQuantity()", () => {
  test.each([
    ["0", "0"],
    ["0Ki", "0"],
    ["-0", "0"],
    ["1", "1"],
    ["1000m", "1"],
    ["1500m", "1500m"],
    ["0.5", "500m"],
    ["1.5", "1500m"],
    [".001", "1m"],
    ["1Ki", "1Ki"],
    ["1024Mi", "1Gi"],
    ["1.5Gi", "1536Mi"],
    ["0.5Mi", "512Ki"],
    [".001Ki", "1024m"],
    [".000000000001Ki", "2n"],
    ["0.05Gi", "53687091200m"],
    ["1000M", "1G"],
    ["1e3", "1e3"],
    ["1E6", "1E6"],
    ["1.2e3", "1200"],
    ["0.1n", "1n"],
    ["3.001n", "4n"],
    ["9Ei", "9223372036854775807"],
    ["12E", "12E"],
    ["100.035k", "100.035k"],
    ["100035000m", "100035"],
    ["128974848", "128974848"],
    ["-1.5", "-1500m"],
    ["-0.5Ki", "-512"],
    [" 1Gi ", "1Gi"],
    [1, "1"],
    [0.25, "250m"],
  ])("%j is %s", (input, expected) => {
    expect(canonicalQuantity(input)).toBe(expected);
  });

  test.each([
    ["", QUANTITY_FORMAT_ERROR],
    ["abc", QUANTITY_FORMAT_ERROR],
    ["1.2.3", QUANTITY_FORMAT_ERROR],
    ["1 Gi", QUANTITY_FORMAT_ERROR],
    ["--1", "unable to parse quantity's suffix"],
    ["1ki", "unable to parse quantity's suffix"],
    ["1mm", "unable to parse quantity's suffix"],
    ["1KiB", QUANTITY_FORMAT_ERROR],
    ["1e", "unable to parse quantity's suffix"],
  ])("refuses %j", (input, message) => {
    expect(() => canonicalQuantity(input)).toThrow(message);
  });

  test("refuses endless texts at once", () => {
    expect(() => canonicalQuantity(`${"0".repeat(1_000_000)}!`)).toThrow("unable to parse numeric part of quantity");
    expect(() => canonicalQuantity(`1${"0".repeat(1_000_000)}`)).toThrow("unable to parse numeric part of quantity");
  });

  test("stays what it is, and keeps its value", () => {
    const suffix = fc.constantFrom("n", "u", "m", "", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "e3", "E-2", "e+6");
    const input = fc.tuple(fc.constantFrom("", "-", "+"), fc.nat(), fc.option(fc.nat(99999)), suffix);
    fc.assert(
      fc.property(input, ([sign, whole, fraction, unit]) => {
        const text = `${sign}${whole}${fraction === null ? "" : `.${fraction}`}${unit}`;
        const once = canonicalQuantity(text);
        expect(canonicalQuantity(once)).toBe(once);
        expect(compareQuantity(parseQuantity(text), parseQuantity(once))).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  test("takes absurd exponents without computing them", () => {
    expect(canonicalQuantity("1e-999999999")).toBe("1e-9");
    expect(compareQuantity(parseQuantity("1e999999999"), parseQuantity("9E"))).toBe(1);
  });
});

describe("arithmetic", () => {
  test.each([
    ["100m", "50m", 1],
    ["50m", "100m", -1],
    ["1", "1000m", 0],
    ["10000T", "100Gi", 1],
    ["-1", "1", -1],
    ["1Ki", "1k", 1],
  ])("compares %s with %s", (a, b, expected) => {
    expect(compareQuantity(parseQuantity(a), parseQuantity(b))).toBe(expected);
  });

  test.each([
    ["1Gi", "512Mi", "1536Mi"],
    ["100m", "900m", "1"],
    ["0", "1Gi", "1Gi"],
    ["1", "1Gi", "1073741825"],
    ["1Gi", "1", "1073741825"],
  ])("%s + %s = %s", (a, b, expected) => {
    expect(formatQuantity(addQuantity(parseQuantity(a), parseQuantity(b)))).toBe(expected);
  });

  test("subtraction undoes addition exactly", () => {
    const quantity = fc.tuple(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), fc.constantFrom("n", "m", "", "G", "Ki"));
    fc.assert(
      fc.property(quantity, quantity, ([a, aUnit], [b, bUnit]) => {
        const [x, y] = [parseQuantity(`${a}${aUnit}`), parseQuantity(`${b}${bUnit}`)];
        expect(compareQuantity(subtractQuantity(addQuantity(x, y), y), x)).toBe(0);
      }),
    );
  });

  test("rounds values up, away from zero", () => {
    expect(quantityValue(parseQuantity("1.1"))).toBe(2n);
    expect(quantityValue(parseQuantity("-1.1"))).toBe(-2n);
    expect(milliValue(parseQuantity("1n"))).toBe(1n);
    expect(milliValue(parseQuantity("2"))).toBe(2000n);
    expect(quantityValue(parseQuantity("1.5Gi"))).toBe(1610612736n);
    expect(quantityNumber(parseQuantity("250m"))).toBe(0.25);
  });

  test("prints made quantities", () => {
    expect(formatQuantity(quantityOf(2048, "BinarySI"))).toBe("2Ki");
    expect(formatQuantity(quantityOf(1000))).toBe("1k");
    expect(formatQuantity(milliQuantity(250))).toBe("250m");
  });
});
