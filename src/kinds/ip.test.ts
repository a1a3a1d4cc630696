import { describe, expect, test } from "vitest";
import { containsCidr, formatIp, isNetworkAddress, parseCidr, parseIp } from "./ip.ts";

describe("parseIp() and formatIp()", () => {
  test.each([
    ["10.0.0.1", "10.0.0.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["::", "::"],
    ["::1", "::1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["fe80::", "fe80::"],
    ["1:0:0:10:0:0:0:2", "1:0:0:10::2"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ])("%s is %s", (text, canonical) => {
    const address = parseIp(text);
    expect(address === undefined ? undefined : formatIp(address)).toBe(canonical);
  });

  test.each([
    "",
    "10.0.0",
    "10.0.0.256",
    "010.0.0.1",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "g::",
    "1:2:3:4:5:6:7::8",
    "::10.0.0",
  ])("%s is no address", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

describe("parseCidr()", () => {
  test.each(["10.0.0.0/33", "10.0.0.0/", "10.0.0.0", "10.0.0.0/08", "fd00::/129"])("%s is no CIDR", (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  test("knows what lies inside, and which addresses are networks", () => {
    const [outer, inner, other] = ["10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/16"].map(parseCidr);
    if (outer === undefined || inner === undefined || other === undefined)
      throw new Error("Cannot parse test CIDRs: got nothing, wanted three");
    expect([containsCidr(outer, inner), containsCidr(inner, outer), containsCidr(outer, other)]).toEqual([true, false, false]);
    expect(isNetworkAddress(outer)).toBe(true);
    expect(isNetworkAddress({ ...outer, address: { family: "IPv4", bits: 0x0a000001n } })).toBe(false);
  });
});
