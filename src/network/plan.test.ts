import { describe, expect, test } from "vitest";
import { readRefusals } from "./apply.ts";
import { renderCniConfig } from "./cni-config.ts";
import { diffRoutes, type NodeRoutes, planRoutes, type Route } from "./plan.ts";
import { renderEgress, renderRouteChange } from "./render.ts";

const node = (number: number, more: Partial<NodeRoutes> = {}): NodeRoutes => ({
  name: `n${number}`,
  addresses: [`192.168.0.${number}`],
  podCidrs: [`10.0.${number}.0/24`],
  ...more,
});
const via = (number: number): Route => ({ family: 4, destination: `10.0.${number}.0/24`, gateway: `192.168.0.${number}` });
const refusal: Route = { family: 4, destination: "10.0.0.0/16", gateway: undefined };

describe("planRoutes()", () => {
  test("reaches every other node's pods by that node and refuses the rest of the cluster's range", () => {
    expect(planRoutes([node(3), node(1), node(2)], "n1", ["10.0.0.0/16"])).toEqual([refusal, via(2), via(3)]);
  });

  test("leaves out nodes that have no address or no range yet", () => {
    expect(planRoutes([node(1), node(2, { addresses: [] }), node(3, { podCidrs: [] })], "n1", [])).toEqual([]);
  });

  test("pairs families: a range is reached by an address of its own family", () => {
    const dual = node(2, { addresses: ["192.168.0.2", "fd00::2"], podCidrs: ["10.0.2.0/24", "fd00:42:2::/64"] });
    expect(planRoutes([dual], "n1", [])).toEqual([via(2), { family: 6, destination: "fd00:42:2::/64", gateway: "fd00::2" }]);
  });
});

describe("diffRoutes()", () => {
  test.each<[string, Route[], Route[], string[]]>([
    ["nothing differs", [via(2)], [via(2)], []],
    ["a node came", [], [via(2)], ["route replace 10.0.2.0/24 via 192.168.0.2 proto 99"]],
    ["a node went", [via(2), via(3)], [via(3)], ["route delete 10.0.2.0/24 via 192.168.0.2 proto 99"]],
    ["a node moved", [via(2)], [{ ...via(2), gateway: "192.168.0.9" }], ["route replace 10.0.2.0/24 via 192.168.0.9 proto 99"]],
    [
      "a refusal became a route",
      [{ ...via(2), gateway: undefined }],
      [via(2)],
      ["route delete unreachable 10.0.2.0/24 proto 99", "route replace 10.0.2.0/24 via 192.168.0.2 proto 99"],
    ],
    ["a first refusal", [], [refusal], ["route replace unreachable 10.0.0.0/16 proto 99"]],
  ])("%s", (_, present, wanted, lines) => {
    expect(diffRoutes(present, wanted).map(renderRouteChange)).toEqual(lines);
  });
});

test("readRefusals() names the change behind each failed line and forgives what is gone already", () => {
  const changes = [
    { do: "delete", route: via(2) },
    { do: "replace", route: via(3) },
    { do: "replace", route: via(4) },
  ] as const;
  const stderr = [
    "RTNETLINK answers: No such process",
    "Command failed -:1",
    "Error: Nexthop has invalid gateway.",
    "Command failed -:3",
    "",
  ].join("\n");
  expect(readRefusals(stderr, changes)).toEqual([{ change: changes[2], because: "gateway is not on a connected network" }]);
});

test("renderCniConfig() renders a node's configuration", async () => {
  await expect(renderCniConfig({ podCidrs: ["10.42.1.0/24"], leaseDir: "/var/lib/navarch/default/node-1/cni" })).toMatchFileSnapshot(
    "testdata/conflist.golden.json",
  );
});

test("renderCniConfig() gives pods a default route of each family", () => {
  const { plugins } = JSON.parse(renderCniConfig({ podCidrs: ["10.42.1.0/24", "fd00:42:1::/64"], leaseDir: "/x", mtu: 1450 })) as {
    plugins: readonly { ipam?: unknown; mtu?: number }[];
  };
  expect(plugins[0]).toMatchObject({
    mtu: 1450,
    ipam: { ranges: [[{ subnet: "10.42.1.0/24" }], [{ subnet: "fd00:42:1::/64" }]], routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }] },
  });
});

test.each([
  [[], "the node has no pod CIDR, wanted at least one"],
  [["10.42.1.0"], '"10.42.1.0" is no CIDR'],
])("renderCniConfig() refuses %j", (podCidrs, message) => {
  expect(() => renderCniConfig({ podCidrs, leaseDir: "/x" })).toThrow(`Cannot configure pod network: ${message}`);
});

test("renderEgress() masquerades pods on their way out of the cluster only", async () => {
  const text = renderEgress({ podCidrs: ["10.42.1.0/24", "fd00:42:1::/64"], withoutNat: ["10.42.0.0/16", "10.89.0.0/24"] });
  await expect(text).toMatchFileSnapshot("testdata/egress.golden.nft");
});
