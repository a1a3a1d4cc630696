import { describe, expect, test } from "vitest";
import { progressOf } from "./install.ts";
import { clusterNames } from "./names.ts";
import { renderRemoval } from "./network.ts";
import { type HostLink, type HostState, isClaimedByOther, pickSubnet, placeNodes, presentSubnet } from "./plan.ts";
import { renderHostLinks, renderHostTable, renderNodeScript } from "./render.ts";

const names = clusterNames("default");
const network = placeNodes(names, "10.89.0.0/24", 2);
const empty: HostState = { netns: [], links: [], ranges: [] };
const link = (name: string, altnames: readonly string[] = [], addresses: HostLink["addresses"] = []): HostLink => ({
  name,
  altnames,
  addresses,
});

describe("clusterNames()", () => {
  test.each(["", "-a", "a-", "A", "a_b", "a.b", "a".repeat(41)])("refuses %j", (name) => {
    expect(() => clusterNames(name)).toThrow(`Cannot use cluster name "${name}"`);
  });

  test("N1: reads no other cluster's namespace as its own", () => {
    const namespaces = ["a", "a-b", "a-node-1", "a-b-node-1"].map((cluster) => clusterNames(cluster).netns("node-1"));
    for (const cluster of ["a", "a-b", "a-node-1", "a-b-node-1"]) {
      const own = clusterNames(cluster);
      expect(namespaces.filter((netns) => own.nodeOfNetns(netns) !== undefined)).toEqual([own.netns("node-1")]);
    }
  });

  test("N2: keeps link names within the kernel's 15 characters", () => {
    const long = clusterNames("a".repeat(40));
    expect(Math.max(long.bridge.length, long.hostLink(250).length)).toBeLessThanOrEqual(15);
  });

  test("N2: owns links by name unless they carry another cluster's", () => {
    const { bridge, owner } = names;
    const owned = [
      link(bridge),
      link(bridge, [owner, "nvnet-10.89.0.0"]),
      link(`${bridge}-3`),
      link(bridge, ["navarch-other"]),
      link(`${bridge}-x`),
      link(`${bridge}3`),
    ];
    expect(owned.map(names.ownsLink)).toEqual([true, true, true, false, false, false]);
  });
});

describe("pickSubnet()", () => {
  test.each([
    ["nothing is in use", [], [], "10.89.0.0/24"],
    ["the first is in use", ["10.89.0.1/24"], [], "10.89.1.0/24"],
    ["a wider route covers some", ["10.89.0.0/22"], [], "10.89.4.0/24"],
    ["only a default route is there", ["0.0.0.0/0"], [], "10.89.0.0/24"],
    ["pods want the first", [], ["10.89.0.0/24", "fd00::/8"], "10.89.1.0/24"],
  ])("chooses when %s", (_, ranges, avoid, expected) => {
    expect(pickSubnet(ranges, avoid)).toBe(expected);
  });

  test("says so when all are in use", () => {
    expect(() => pickSubnet(["10.0.0.0/8"], [])).toThrow("Cannot choose a node subnet: all of 10.89.0.0/16 is in use");
  });
});

describe("placeNodes()", () => {
  test("gives the host the first address and the nodes the next", () => {
    expect([network.hostAddress, ...network.nodes.map(({ address }) => address)]).toEqual(["10.89.0.1", "10.89.0.2", "10.89.0.3"]);
  });

  test.each([0, 251, 1.5])("refuses %d nodes", (nodes) => {
    expect(() => placeNodes(names, "10.89.0.0/24", nodes)).toThrow(`Cannot make ${nodes} nodes: wanted between 1 and 250`);
  });
});

test("presentSubnet() refuses a bridge of another cluster", () => {
  expect(presentSubnet(names, [link(names.bridge, [names.owner], [{ address: "10.89.7.1", prefix: 24 }])])).toBe("10.89.7.0/24");
  expect(() => presentSubnet(names, [link(names.bridge, ["navarch-other"])])).toThrow('it belongs to "navarch-other"');
});

test("isClaimedByOther() looks at other bridges only", () => {
  const claim = names.subnetClaim("10.89.0.0");
  expect(isClaimedByOther(names, network, [link(names.bridge, [claim])])).toBe(false);
  expect(isClaimedByOther(names, network, [link("nv-00000000", [claim])])).toBe(true);
});

describe("renderHostLinks()", () => {
  test("makes everything on an empty host", () => {
    const { bridge } = names;
    expect(renderHostLinks(names, network, empty)).toEqual([
      `link add name ${bridge} type bridge stp_state 0 forward_delay 0`,
      `link property add dev ${bridge} altname navarch-default`,
      `link property add dev ${bridge} altname nvnet-10.89.0.0`,
      `address replace 10.89.0.1/24 dev ${bridge}`,
      `link set dev ${bridge} up`,
      "netns add navarch-default-node-1",
      `link add name ${bridge}-1 type veth peer name eth0 netns navarch-default-node-1`,
      `link set dev ${bridge}-1 master ${bridge} up`,
      "netns add navarch-default-node-2",
      `link add name ${bridge}-2 type veth peer name eth0 netns navarch-default-node-2`,
      `link set dev ${bridge}-2 master ${bridge} up`,
    ]);
  });

  test("adds what is missing and replaces a cable whose namespace is gone", () => {
    const { bridge } = names;
    const state = { ...empty, netns: ["navarch-default-node-1"], links: [link(bridge), link(`${bridge}-1`), link(`${bridge}-2`)] };
    expect(renderHostLinks(names, network, state)).toEqual([
      `address replace 10.89.0.1/24 dev ${bridge}`,
      `link set dev ${bridge} up`,
      `link delete dev ${bridge}-2`,
      "netns add navarch-default-node-2",
      `link add name ${bridge}-2 type veth peer name eth0 netns navarch-default-node-2`,
      `link set dev ${bridge}-2 master ${bridge} up`,
    ]);
  });
});

test("renderRemoval() takes the cluster's things and no others", () => {
  const state = {
    ...empty,
    netns: ["navarch-default-node-1", "navarch-default-x", "navarch-other-node-1"],
    links: [link("eth0"), link(names.bridge), link(`${names.bridge}-1`), link("nv-00000000")],
  };
  expect(renderRemoval(names, state)).toEqual([
    `link delete dev ${names.bridge}`,
    `link delete dev ${names.bridge}-1`,
    "netns delete navarch-default-node-1",
  ]);
});

test("renderHostTable() renders the way out, and its absence", async () => {
  await expect(renderHostTable(names, network, { egress: true, mark: true })).toMatchFileSnapshot("testdata/egress-on.golden.nft");
  await expect(renderHostTable(names, network, { egress: false, mark: true })).toMatchFileSnapshot("testdata/egress-off.golden.nft");
});

test("renderNodeScript() gives a default route only where there is a way out", () => {
  const [node] = network.nodes;
  if (node === undefined) throw new Error("test network must have a node");
  expect(renderNodeScript(network, node, true)).toContain("\nroute replace default via 10.89.0.1 dev eth0\n");
  expect(renderNodeScript(network, node, false)).not.toContain("default via");
});

test.each([
  ["Get:3 http://deb.example bookworm/main amd64 runc amd64 1.1.5+ds1-1 [2710 kB]", "Downloading runc (2710 kB)"],
  ["Unpacking runc (1.1.5+ds1-1) ...", "Unpacking runc"],
  ["Setting up libnftables1:amd64 (1.0.6-2) ...", "Setting up libnftables1"],
  ["Reading package lists...", undefined],
])("progressOf() of %j is %j", (line, progress) => {
  expect(progressOf(line)).toBe(progress);
});
