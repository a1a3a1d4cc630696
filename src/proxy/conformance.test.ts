import { describe, expect, test } from "vitest";
import { ADDRESSES, CONFORMANCE_FRAME as frame, conformancePort, inIPv6, trafficTable } from "./conformance.ts";
import * as iptables from "./iptables/render.ts";
import { tracePacket as traceIptables } from "./iptables/trace.ts";
import * as nftables from "./nftables/render.ts";
import { tracePacket as traceNftables } from "./nftables/trace.ts";
import type { Fate, Packet } from "./packet.ts";
import type { ServicePort } from "./service-map.ts";

const nodeAddresses = [ADDRESSES.node, "127.0.0.1"];
const toVip = { saddr: ADDRESSES.client, daddr: ADDRESSES.clusterIP, protocol: "tcp", dport: 80, from: "network" } as const;

type Trace = (frame: nftables.Frame, port: ServicePort, packet: Packet, nodeAddresses: readonly string[]) => Fate;

const modes: readonly { readonly mode: string; readonly trace: Trace }[] = [
  {
    mode: "nftables",
    trace: (of, port, packet, addresses) =>
      traceNftables([nftables.renderFrame(of), nftables.renderServicePort(port, of)], packet, { nodeAddresses: addresses }),
  },
  {
    mode: "iptables",
    trace: (of, port, packet, addresses) => {
      const unit = iptables.renderServicePort(port, of);
      const { chances, ...fate } = traceIptables(iptables.renderFrame(of), [unit], packet, { nodeAddresses: addresses });
      for (const chance of chances) expect(chance).toBeCloseTo(1 / chances.length, 6);
      return fate;
    },
  },
];

describe.each(modes)("tracePacket() through rules of mode $mode", ({ trace }) => {
  test.each(trafficTable)("$name", ({ port, packet, fate }) => expect(trace(frame, port, packet, nodeAddresses)).toEqual(fate));
  test.each(inIPv6(trafficTable))("IPv6: $name", ({ port, packet, fate }) =>
    expect(trace(inIPv6(frame), port, packet, inIPv6(nodeAddresses))).toEqual(fate),
  );
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
