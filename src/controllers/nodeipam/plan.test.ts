import { describe, expect, test } from "vitest";
import { node } from "#testing/builders.ts";
import { parseCidrRange, planNodeCidrs } from "./plan.ts";

const given = (name: string, podCIDR: string) => ({ ...node(name), spec: { podCIDR, podCIDRs: [podCIDR] } });
const ranges = (actions: ReturnType<typeof planNodeCidrs>["actions"]) =>
  actions.map((action) =>
    action.do === "patch" ? `${action.object.name} ${(action.patch.body as { spec: { podCIDR: string } }).spec.podCIDR}` : action.do,
  );

describe("planNodeCidrs()", () => {
  test("gives each node the lowest free range, none twice", () => {
    const { actions } = planNodeCidrs({
      nodes: [given("a", "10.42.1.0/24"), node("b"), node("c")],
      range: parseCidrRange("10.42.0.0/16", 24),
    });
    expect(ranges(actions)).toEqual(["b 10.42.0.0/24", "c 10.42.2.0/24"]);
    expect(planNodeCidrs({ nodes: [given("a", "10.42.1.0/24")], range: parseCidrRange("10.42.0.0/16", 24) }).actions).toEqual([]);
  });
  test("says so when none is left", () => {
    const { actions } = planNodeCidrs({ nodes: [node("a"), node("b"), node("c")], range: parseCidrRange("10.42.0.0/23", 24) });
    expect(ranges(actions)).toEqual(["a 10.42.0.0/24", "b 10.42.1.0/24", "event"]);
  });
  test.each(["10.42.0.0", "10.42.0.300/16", "fd00::/48", "10.42.0.0/25"])("refuses %s", (cidr) => {
    expect(() => parseCidrRange(cidr, 24)).toThrow(`Cannot use cluster CIDR "${cidr}"`);
  });
});
