import { expect, test } from "vitest";
import { parseIpRange, pickFree, staticPorts } from "./ranges.ts";

test("parseIpRange() leaves out the network and broadcast addresses", () => {
  const range = parseIpRange("10.43.0.0/24");
  expect([range.size, range.at(0), range.at(range.size - 1), range.staticSize]).toEqual([254, "10.43.0.1", "10.43.0.254", 16]);
  expect(["10.43.0.0", "10.43.0.255", "10.43.1.1", "fd00::1", "x"].filter((ip) => range.contains(ip))).toEqual([]);
  expect(range.contains("10.43.0.254")).toBe(true);
});

test("parseIpRange() knows IPv6", () => {
  const range = parseIpRange("fd00:10:43::/112");
  expect([range.family, range.at(0), range.contains("fd00:10:43::ffff")]).toEqual(["IPv6", "fd00:10:43::1", true]);
});

test("pickFree() uses the part for asked-for numbers last", () => {
  const taken = new Set<number>();
  const order: number[] = [];
  for (;;) {
    const found = pickFree(
      4,
      2,
      (offset) => taken.has(offset),
      () => 0,
    );
    if (found === undefined) break;
    taken.add(found);
    order.push(found);
  }
  expect(order).toEqual([2, 3, 0, 1]);
});

test("staticPorts() is the first 86 of the usual range", () => {
  expect(staticPorts({ from: 30_000, to: 32_767 })).toBe(86);
});
