import { describe, expect, test } from "vitest";
import { ADDRESSES, CONFORMANCE_FRAME as frame, conformancePort, trafficTable } from "./conformance.ts";
import * as iptables from "./iptables/render.ts";
import { tracePacket as traceIptables } from "./iptables/trace.ts";
import * as nftables from "./nftables/render.ts";
import { tracePacket as traceNftables } from "./nftables/trace.ts";

const nodeAddresses = [ADDRESSES.node, "127.0.0.1"];
const toVip = { saddr: ADDRESSES.client, daddr: ADDRESSES.clusterIP, protocol: "tcp", dport: 80, from: "network" } as const;

describe.each([
  {
    mode: "nftables",
    trace: (port: ReturnType<typeof conformancePort>, packet: Parameters<typeof traceNftables>[1]) =>
      traceNftables([nftables.renderFrame(frame), nftables.renderServicePort(port, frame)], packet, { nodeAddresses }),
  },
  {
    mode: "iptables",
    trace: (port: ReturnType<typeof conformancePort>, packet: Parameters<typeof traceNftables>[1]) => {
      const { chances, ...fate } = traceIptables(iptables.renderFrame(frame), [iptables.renderServicePort(port, frame)], packet, {
        nodeAddresses,
      });
      for (const chance of chances) expect(chance).toBeCloseTo(1 / chances.length, 6);
      return fate;
    },
  },
])("tracePacket() through rules of mode $mode", ({ trace }) => {
  test.each(trafficTable)("$name", ({ port, packet, fate }) => expect(trace(port, packet)).toEqual(fate));
});

describe("tracePacket() through rules of mode iptables", () => {
  const unit = iptables.renderServicePort(conformancePort({ affinitySeconds: 60 }), frame);

  test("a remembered client goes back to its endpoint, a new one to any", () => {
    const list = unit.chains.find(({ rules }) => rules.some((rule) => rule.includes(ADDRESSES.there)))?.name ?? "";
    const base = iptables.renderFrame(frame);
    expect(traceIptables(base, [unit], toVip, { nodeAddresses }).to).toHaveLength(2);
    expect(traceIptables(base, [unit], toVip, { nodeAddresses, remembered: { [list]: [ADDRESSES.client] } }).to).toEqual([
      `${ADDRESSES.there}:8080`,
    ]);
  });

  test("a random choice among seven endpoints is even", () => {
    const backends = Array.from({ length: 7 }, (_, i) => ({ ip: `10.0.1.${i + 2}`, port: 8080, local: true }));
    const { chances } = traceIptables(
      iptables.renderFrame(frame),
      [iptables.renderServicePort(conformancePort({ backends }), frame)],
      toVip,
      { nodeAddresses },
    );
    expect(chances).toHaveLength(7);
    for (const chance of chances) expect(chance).toBeCloseTo(1 / 7, 6);
  });
});
