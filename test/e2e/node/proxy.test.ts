import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exec } from "#base/node/exec.ts";
import { ADDRESSES, CONFORMANCE_FRAME, conformancePort, inIPv6, trafficTable } from "#proxy/conformance.ts";
import type { Backend, ServicePort } from "#proxy/service-map.ts";
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

/** Both families in the same words: `six` turns the plan's addresses into IPv6, or leaves them. */
interface Setting {
  readonly six: <T>(value: T) => T;
  readonly world: World;
  readonly plane: { call(request: Request): Promise<unknown>; readonly child: ChildProcess };
}
const settings = new Map<string, Setting>();

function setting(family: string): Setting {
  const found = settings.get(family);
  if (found === undefined) throw new Error(`Cannot use ${family}: its world was not made`);
  return found;
}

beforeAll(async () => {
  for (const [family, six] of [
    ["IPv4", <T>(value: T) => value],
    ["IPv6", inIPv6],
  ] as const) {
    const world = await createWorld(
      `nvp${process.pid}${family === "IPv6" ? "s" : ""}`,
      six([
        { name: "outside", addresses: [ADDRESSES.outside], gateway: ADDRESSES.node },
        { name: "here", addresses: [ADDRESSES.here], gateway: "10.0.1.1" },
        { name: "client", addresses: [ADDRESSES.client], gateway: "10.0.9.1" },
        { name: "there", addresses: [ADDRESSES.there], gateway: "10.0.2.1" },
      ]),
    );
    const plane = startPlane(world.node);
    settings.set(family, { six, world, plane });
    // What the node has no other route for leaves by the link to the outside, as service addresses would.
    const route = ["route", "add", "default", "dev", "l0", "src", six(ADDRESSES.node)];
    await exec(["ip", "-n", world.node, family === "IPv6" ? "-6" : "-4", ...route], { signal });
    for (const name of ["here", "there"] as const) await world.station(name).serve(six(ADDRESSES[name]), 8080);
  }
});

afterAll(async () => {
  for (const { plane, world } of settings.values()) {
    plane.child.kill("SIGKILL");
    await world[Symbol.asyncDispose]();
  }
});

function startPlane(ns: string): Setting["plane"] {
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

function apply(family: string, port: ServicePort | null): Promise<{ full: boolean }> {
  const { six, plane } = setting(family);
  return plane.call({ do: "apply", ports: [["port", six(port)]] }) as Promise<{ full: boolean }>;
}

function onNode(family: string, script: string): Promise<string> {
  return exec(["ip", "netns", "exec", setting(family).world.node, "sh", "-c", script], { signal });
}

function count(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

const MODES = ["nftables", "iptables", "userspace"] as const;

describe.each(["IPv4", "IPv6"].flatMap((family) => MODES.map((mode) => ({ family, mode }))))(
  "packets of $family in mode $mode",
  ({ family, mode }) => {
    beforeAll(async () => {
      const { six, plane } = setting(family);
      await plane.call({ do: "start", mode, frame: six(CONFORMANCE_FRAME), address: six(ADDRESSES.node) });
      await plane.call({ do: "apply", ports: [] });
    });

    test.each(trafficTable)("$name", async ({ port, packet, fate }) => {
      await apply(family, port);
      const { six, world } = setting(family);
      const { verdict, to, masquerade } = six(fate);
      const ask: Ask = six({
        protocol: packet.protocol === "udp" ? "udp" : "tcp",
        from: packet.saddr,
        host: packet.daddr,
        port: packet.dport,
        count: to.length > 1 ? 24 : 1,
      });
      const seen = await world.station(STATIONS[packet.saddr] ?? "").ask(ask);
      if (verdict === "reject" || verdict === "drop") {
        expect(seen).toEqual([{ error: verdict }]);
        return;
      }
      const answers = seen.map((one) => ("answer" in one ? one.answer : one.error));
      expect([...new Set(answers)].sort()).toEqual(to); // 24 fair tosses show one side only once in 8 million
      if (mode === "userspace" && verdict === "dnat") return; // endpoints see the node: this mode cannot keep clients
      // Masquerading takes the node's address on the link to the endpoint.
      for (const one of seen) expect(six(masquerade ? NODE_ADDRESSES : [packet.saddr])).toContain("client" in one ? one.client : one.error);
    });

    test("connections are spread evenly", async () => {
      await apply(family, conformancePort());
      const [from, host] = setting(family).six([ADDRESSES.client, ADDRESSES.clusterIP] as const);
      const asked = 300;
      const seen = await setting(family).world.station("client").ask({ protocol: "tcp", from, host, port: 80, count: asked });
      const counts = count(seen.map((one) => ("answer" in one ? one.answer : one.error)));
      expect(Object.keys(counts).sort()).toEqual(setting(family).six([`${ADDRESSES.here}:8080`, `${ADDRESSES.there}:8080`]));
      // Five standard deviations of a fair coin; a round robin is exact.
      const tolerance = mode === "userspace" ? 0 : 5 * Math.sqrt(asked / 4);
      for (const n of Object.values(counts)) expect(Math.abs(n - asked / 2)).toBeLessThanOrEqual(tolerance);
    });

    test("a client with affinity stays at one endpoint, and may change after the time is over", async () => {
      await apply(family, conformancePort({ affinitySeconds: 1 }));
      const [from, host] = setting(family).six([ADDRESSES.client, ADDRESSES.clusterIP] as const);
      const station = setting(family).world.station("client");
      const ask = (n: number) => station.ask({ protocol: "tcp", from, host, port: 80, count: n });
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
      await apply(family, conformancePort());
      await onNode(family, "nft flush ruleset");
      const [from, host] = setting(family).six([ADDRESSES.client, ADDRESSES.clusterIP] as const);
      const over = { affinitySeconds: 0, nodePort: 30_081 };
      expect(await apply(family, conformancePort(over))).toMatchObject({ full: true });
      const [one] = await setting(family).world.station("client").ask({ protocol: "tcp", from, host, port: 80, count: 1 });
      expect(one).toHaveProperty("answer");
    });
  },
);

describe("withConntrack()", () => {
  test.each(MODES)("a UDP client in mode %s finds another endpoint when its own is gone, and one when the first comes", async (mode) => {
    const { world, plane } = setting("IPv4");
    await plane.call({ do: "start", mode, frame: CONFORMANCE_FRAME, address: ADDRESSES.node });
    const [here, there] = conformancePort().cluster;
    if (here === undefined || there === undefined) throw new Error("two endpoints are needed");
    const udp = (backends: readonly Backend[]) => conformancePort({ protocol: "UDP", backends });
    // One source port: the kernel knows the flow, and would keep sending it where it went before.
    const ask = async () => {
      const sent = { protocol: "udp", from: ADDRESSES.client, fromPort: 40_000, host: ADDRESSES.clusterIP, port: 80, count: 1 } as const;
      const [one] = await world.station("client").ask(sent);
      return one !== undefined && "answer" in one ? one.answer : one?.error;
    };
    await apply("IPv4", udp([here]));
    expect(await ask()).toBe(`${here.ip}:8080`);
    await apply("IPv4", udp([there]));
    expect(await ask()).toBe(`${there.ip}:8080`);
    await apply("IPv4", udp([]));
    expect(await ask()).toBe("reject");
    await apply("IPv4", udp([here]));
    expect(await ask()).toBe(`${here.ip}:8080`);
    await apply("IPv4", null);
  });
});

describe("cleanupMode()", () => {
  test.each(MODES)("leaves nothing of mode %s and all of what others made", async (mode) => {
    const { plane } = setting("IPv4");
    const rules = () => onNode("IPv4", "nft list ruleset; iptables-save");
    await onNode("IPv4", "iptables -t nat -N THEIRS; iptables -t nat -I PREROUTING -j THEIRS; nft add table ip theirs");
    await plane.call({ do: "start", mode, frame: CONFORMANCE_FRAME, address: ADDRESSES.node });
    await apply("IPv4", conformancePort({ nodePort: 30_080, affinitySeconds: 60 }));
    expect(await rules()).toMatch(/navarch/i);
    await plane.call({ do: "cleanup", mode, family: "ip" });
    const left = await rules();
    expect(left).not.toMatch(/navarch/i);
    expect(left).toContain("-A PREROUTING -j THEIRS");
    expect(left).toContain("table ip theirs");
    await onNode("IPv4", "iptables -t nat -D PREROUTING -j THEIRS; iptables -t nat -X THEIRS; nft delete table ip theirs");
  });
});
