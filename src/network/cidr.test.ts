import { expect, test } from "vitest";
import { addressIn, formatCidr, overlaps, parseAddress, parseCidr } from "./cidr.ts";

test.each([
  ["10.42.0.0/16", "10.42.0.0/16"],
  ["10.42.7.9/24", "10.42.7.0/24"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["255.255.255.255/32", "255.255.255.255/32"],
  ["fd00:0:0:1::/64", "fd00:0:0:1::/64"],
  ["::/0", "::/0"],
  ["::1/128", "::1/128"],
  ["fd00::ffff:1.2.3.4/128", "fd00::ffff:102:304/128"],
  ["1:2:3:4:5:6:7:8/112", "1:2:3:4:5:6:7:0/112"],
])("parseCidr() reads %s as %s", (text, canonical) => {
  const cidr = parseCidr(text);
  expect(cidr && formatCidr(cidr)).toBe(canonical);
});

test.each(["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "x/8", "10.0.0.0/8/8", "10.0.0.0/-1", "fe80::1%eth0/64"])(
  "parseCidr() refuses %j",
  (text) => {
    expect(parseCidr(text)).toBeUndefined();
  },
);

test.each([
  ["10.0.0.0/8", "10.42.0.0/16", true],
  ["10.42.0.0/16", "10.43.0.0/16", false],
  ["0.0.0.0/0", "203.0.113.0/24", true],
  ["0.0.0.0/0", "fd00::/8", false],
  ["fd00::/16", "fd00:1::/32", true],
])("overlaps() of %s and %s is %s, in either order", (a, b, expected) => {
  const [left, right] = [parseCidr(a), parseCidr(b)];
  if (left === undefined || right === undefined) throw new Error("test ranges must parse");
  expect([overlaps(left, right), overlaps(right, left)]).toEqual([expected, expected]);
});

test("addressIn() counts past the last byte", () => {
  const cidr = parseCidr("10.42.0.0/16");
  expect(cidr && [addressIn(cidr, 1), addressIn(cidr, 256)]).toEqual(["10.42.0.1", "10.42.1.0"]);
});

test("parseAddress() takes no names and no leading zeros", () => {
  expect([parseAddress("localhost"), parseAddress("010.0.0.1")]).toEqual([undefined, undefined]);
});
