import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exec } from "#base/node/exec.ts";
import { ADDRESSES, CONFORMANCE_FRAME, conformancePort, trafficTable } from "#proxy/conformance.ts";
import type { ServicePort } from "#proxy/service-map.ts";
import type { Request } from "./support/data-plane.ts";
import { type Ask, createWorld, type World } from "./support/traffic.ts";

const { signal } = new AbortController();
const STATIONS: Readonly<Record<string, string>> = {
  [ADDRESSES.here]: "here",
  [ADDRESSES.there]: "there",
  [ADDRESSES.client]: "client",
  [ADDRESSES.node]: "node",
  [ADDRESSES.outside]: "outside",
};
const NODE_ADDRESSES = [ADDRESSES.node, "10.0.1.1", "10.0.9.1", "10.0.2.1"];
let world: World;
let plane: { call(request: Request): Promise<unknown>; readonly child: ChildProcess };

beforeAll(async () => {
  world = await createWorld(`nvp${process.pid}`, [
    { name: "outside", addresses: [ADDRESSES.outside], gateway: ADDRESSES.node },
    { name: "here", addresses: [ADDRESSES.here], gateway: "10.0.1.1" },
    { name: "client", addresses: [ADDRESSES.client], gateway: "10.0.9.1" },
    { name: "there", addresses: [ADDRESSES.there], gateway: "10.0.2.1" },
  ]);
  // What the node has no other route for leaves by the link to the outside, as service addresses would.
  await exec(["ip", "-n", world.node, "route", "add", "default", "dev", "l0", "src", ADDRESSES.node], { signal });
  for (const ip of [ADDRESSES.here, ADDRESSES.there]) await world.station(STATIONS[ip] ?? "").serve(ip, 8080);
  plane = startPlane(world.node);
});

afterAll(async () => {
  plane?.child.kill("SIGKILL");
  await world?.[Symbol.asyncDispose]();
});

function startPlane(ns: string): typeof plane {
  const argv = ["netns", "exec", ns, process.execPath, "--import", "tsx", "test/e2e/node/support/data-plane.ts"];
  const child = spawn("ip", argv, { stdio: ["pipe", "pipe", "inherit"] });
  const answers: ((line: string) => void)[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => answers.shift()?.(line));
  return {
    child,
    async call(request) {
      const line = await new Promise<string>((resolve) => {
        answers.push(resolve);
        child.stdin.write(`${JSON.stringify(request)}\n`);
      });
      const { result, error } = JSON.parse(line) as { result?: unknown; error?: string };
      if (error !== undefined) throw new Error(error);
      return result;
    },
  };
}

const apply = (port: ServicePort | null) => plane.call({ do: "apply", ports: [["port", port]] }) as Promise<{ full: boolean }>;

const rules = () => exec(["ip", "netns", "exec", world.node, "sh", "-c", "nft list ruleset; iptables-save; ip6tables-save"], { signal });

function count(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

describe.each(["nftables", "iptables", "userspace"] as const)("packets in mode %s", (mode) => {
  beforeAll(async () => {
    await plane.call({ do: "start", mode, frame: CONFORMANCE_FRAME, address: ADDRESSES.node });
    await plane.call({ do: "apply", ports: [] });
  });

  test.each(trafficTable)("$name", async ({ port, packet, fate }) => {
    await apply(port);
    const { verdict, to, masquerade } = fate;
    const ask: Ask = {
      protocol: packet.protocol === "udp" ? "udp" : "tcp",
      from: packet.saddr,
      host: packet.daddr,
      port: packet.dport,
      count: to.length > 1 ? 24 : 1,
    };
    const seen = await world.station(STATIONS[packet.saddr] ?? "").ask(ask);
    if (verdict === "reject" || verdict === "drop") {
      expect(seen).toEqual([{ error: verdict }]);
      return;
    }
    const answers = seen.map((one) => ("answer" in one ? one.answer : one.error));
    expect([...new Set(answers)].sort()).toEqual(to); // 24 fair tosses show one side only once in 8 million
    if (mode === "userspace" && verdict === "dnat") return; // endpoints see the node: this mode cannot keep clients
    // Masquerading takes the node's address on the link to the endpoint.
    for (const one of seen) expect(masquerade ? NODE_ADDRESSES : [packet.saddr]).toContain("client" in one ? one.client : one.error);
  });

  test("connections are spread evenly", async () => {
    await apply(conformancePort());
    const asked = 300;
    const seen = await world
      .station("client")
      .ask({ protocol: "tcp", from: ADDRESSES.client, host: ADDRESSES.clusterIP, port: 80, count: asked });
    const counts = count(seen.map((one) => ("answer" in one ? one.answer : one.error)));
    expect(Object.keys(counts).sort()).toEqual([`${ADDRESSES.here}:8080`, `${ADDRESSES.there}:8080`]);
    // Five standard deviations of a fair coin; a round robin is exact.
    const tolerance = mode === "userspace" ? 0 : 5 * Math.sqrt(asked / 4);
    for (const n of Object.values(counts)) expect(Math.abs(n - asked / 2)).toBeLessThanOrEqual(tolerance);
  });

  test("a client with affinity stays at one endpoint, and may change after the time is over", async () => {
    await apply(conformancePort({ affinitySeconds: 1 }));
    const station = world.station("client");
    const ask = (n: number) => station.ask({ protocol: "tcp", from: ADDRESSES.client, host: ADDRESSES.clusterIP, port: 80, count: n });
    const answers = (await ask(20)).map((one) => ("answer" in one ? one.answer : one.error));
    expect(new Set(answers).size).toBe(1);
    const later = new Set(answers);
    for (let i = 0; i < 12 && later.size < 2; i++) {
      await new Promise((resolve) => setTimeout(resolve, 2_100)); // what is tested is that this much time changes the answer
      for (const one of await ask(1)) if ("answer" in one) later.add(one.answer);
    }
    expect(later.size).toBe(2);
  });

  test("rules that someone removed are back after the next change", async () => {
    await apply(conformancePort());
    const flush = "nft flush ruleset; iptables -t nat -F; iptables -F";
    await exec(["ip", "netns", "exec", world.node, "sh", "-c", flush], { signal });
    const over = { affinitySeconds: 0, nodePort: 30_081 };
    expect(await apply(conformancePort(over))).toMatchObject({ full: true });
    const [one] = await world
      .station("client")
      .ask({ protocol: "tcp", from: ADDRESSES.client, host: ADDRESSES.clusterIP, port: 80, count: 1 });
    expect(one).toHaveProperty("answer");
  });
});

describe("cleanupMode()", () => {
  test.each(["nftables", "iptables", "userspace"] as const)("leaves nothing of mode %s and all of what others made", async (mode) => {
    await exec(
      [
        "ip",
        "netns",
        "exec",
        world.node,
        "sh",
        "-c",
        "iptables -t nat -N THEIRS; iptables -t nat -I PREROUTING -j THEIRS; nft add table ip theirs",
      ],
      { signal },
    );
    await plane.call({ do: "start", mode, frame: CONFORMANCE_FRAME, address: ADDRESSES.node });
    await apply(conformancePort({ nodePort: 30_080, affinitySeconds: 60 }));
    expect(await rules()).toMatch(/navarch/i);
    await plane.call({ do: "cleanup", mode, family: "ip" });
    const left = await rules();
    expect(left).not.toMatch(/navarch/i);
    expect(left).toContain("-A PREROUTING -j THEIRS");
    expect(left).toContain("table ip theirs");
    await exec(
      [
        "ip",
        "netns",
        "exec",
        world.node,
        "sh",
        "-c",
        "iptables -t nat -D PREROUTING -j THEIRS; iptables -t nat -X THEIRS; nft delete table ip theirs",
      ],
      { signal },
    );
  });
});
