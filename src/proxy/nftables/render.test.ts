import { describe, expect, test } from "vitest";
import { expectGolden } from "#testing/golden.ts";
import type { Backend, ServicePort } from "../service-map.ts";
import { renderFrame, renderServicePort } from "./render.ts";
import { changeScript, countUses, fullScript } from "./script.ts";
import type { Packet } from "../packet.ts";
import { tracePacket } from "./trace.ts";

const frame = { family: "ip", podCidr: "10.0.0.0/8", serviceCidr: "172.30.0.0/16" } as const;
const here: Backend = { ip: "10.0.1.2", port: 8080, local: true };
const there: Backend = { ip: "10.0.2.3", port: 8080, local: false };
const nodeAddresses = ["192.168.0.1", "127.0.0.1"];

function port(over: Partial<ServicePort> & { backends?: readonly Backend[] } = {}): ServicePort {
  const { backends = [here, there], ...rest } = over;
  return {
    id: "default/web",
    protocol: "TCP",
    port: 80,
    clusterIP: "172.30.0.41",
    nodePort: 0,
    externalIPs: [],
    loadBalancerIPs: [],
    sourceRanges: [],
    affinitySeconds: 0,
    internal: backends,
    external: backends,
    cluster: backends,
    internalPolicy: "Cluster",
    externalPolicy: "Cluster",
    ...rest,
  };
}

const toVip: Packet = { saddr: "10.0.9.9", daddr: "172.30.0.41", protocol: "tcp", dport: 80, from: "network" };
const toNodePort: Packet = { saddr: "203.0.113.7", daddr: "192.168.0.1", protocol: "tcp", dport: 30080, from: "network" };
const nodePort = { nodePort: 30080 };
const local = { ...nodePort, externalPolicy: "Local" as const };

describe("tracePacket() through renderServicePort()", () => {
  test.each([
    {
      name: "a pod reaches both endpoints without NAT of its address",
      port: port(),
      packet: toVip,
      fate: { verdict: "dnat", to: ["10.0.1.2:8080", "10.0.2.3:8080"], masquerade: false },
    },
    {
      name: "the node itself reaches the cluster IP",
      port: port(),
      packet: { ...toVip, saddr: "192.168.0.1", from: "node" as const },
      fate: { verdict: "dnat", to: ["10.0.1.2:8080", "10.0.2.3:8080"], masquerade: true },
    },
    {
      name: "a pod reaching itself is masqueraded",
      port: port({ backends: [here] }),
      packet: { ...toVip, saddr: "10.0.1.2" },
      fate: { verdict: "dnat", to: ["10.0.1.2:8080"], masquerade: true },
    },
    {
      name: "another port of the service address is rejected",
      port: port(),
      packet: { ...toVip, dport: 81 },
      fate: { verdict: "reject", to: [], masquerade: false },
    },
    {
      name: "an unused service address is rejected",
      port: port(),
      packet: { ...toVip, daddr: "172.30.9.9" },
      fate: { verdict: "reject", to: [], masquerade: false },
    },
    {
      name: "UDP to a TCP port is rejected",
      port: port(),
      packet: { ...toVip, protocol: "udp" as const },
      fate: { verdict: "reject", to: [], masquerade: false },
    },
    {
      name: "a Service without endpoints rejects",
      port: port({ backends: [] }),
      packet: toVip,
      fate: { verdict: "reject", to: [], masquerade: false },
    },
    {
      name: "internal policy Local without a local endpoint drops",
      port: port({ internal: [], internalPolicy: "Local" }),
      packet: toVip,
      fate: { verdict: "drop", to: [], masquerade: false },
    },
    {
      name: "a node port masquerades under policy Cluster",
      port: port(nodePort),
      packet: toNodePort,
      fate: { verdict: "dnat", to: ["10.0.1.2:8080", "10.0.2.3:8080"], masquerade: true },
    },
    {
      name: "a node port keeps the client under policy Local",
      port: port({ ...local, external: [here] }),
      packet: toNodePort,
      fate: { verdict: "dnat", to: ["10.0.1.2:8080"], masquerade: false },
    },
    {
      name: "policy Local without a local endpoint drops",
      port: port({ ...local, external: [] }),
      packet: toNodePort,
      fate: { verdict: "drop", to: [], masquerade: false },
    },
    {
      name: "policy Local serves pods from everywhere",
      port: port({ ...local, external: [] }),
      packet: { ...toNodePort, saddr: "10.0.9.9" },
      fate: { verdict: "dnat", to: ["10.0.1.2:8080", "10.0.2.3:8080"], masquerade: false },
    },
    {
      name: "an external IP is served",
      port: port({ externalIPs: ["203.0.113.50"] }),
      packet: { ...toNodePort, daddr: "203.0.113.50", dport: 80 },
      fate: { verdict: "dnat", to: ["10.0.1.2:8080", "10.0.2.3:8080"], masquerade: true },
    },
    {
      name: "a packet that is for no Service passes",
      port: port(),
      packet: { ...toVip, daddr: "10.0.2.3", dport: 8080 },
      fate: { verdict: "delivered", to: ["10.0.2.3:8080"], masquerade: false },
    },
  ])("$name", ({ port: p, packet, fate }) => {
    expect(tracePacket([renderFrame(frame), renderServicePort(p, frame)], packet, { nodeAddresses })).toEqual(fate);
  });

  test("a remembered client goes back to its endpoint, a new one to any", () => {
    const unit = renderServicePort(port({ affinitySeconds: 60 }), frame);
    const set = unit.sets.find((s) => s.name.includes("10.0.2.3"))?.name ?? "";
    const units = [renderFrame(frame), unit];
    expect(tracePacket(units, toVip, { nodeAddresses }).to).toEqual(["10.0.1.2:8080", "10.0.2.3:8080"]);
    expect(tracePacket(units, toVip, { nodeAddresses, remembered: { [set]: [toVip.saddr] } }).to).toEqual(["10.0.2.3:8080"]);
  });
});

describe("fullScript() and changeScript()", () => {
  const unit = (p: ServicePort) => renderServicePort(p, frame);

  test("a cluster IP with two endpoints", () => {
    expectGolden(import.meta.url, "clusterip-two-endpoints.golden.nft", fullScript([renderFrame(frame), unit(port())], "ip"));
  });

  test("a node port with client affinity", () => {
    expectGolden(import.meta.url, "nodeport-affinity.golden.nft", fullScript([unit(port({ ...nodePort, affinitySeconds: 10_800 }))], "ip"));
  });

  test("a changed endpoint refills its chain and nothing else", () => {
    const before = unit(port());
    const after = unit(port({ backends: [here, { ...there, ip: "10.0.2.4" }] }));
    const uses = countUses(new Map(), [{ before: undefined, after: before }]);
    expectGolden(import.meta.url, "endpoint-changed.golden.nft", changeScript([{ before, after }], "ip", uses));
  });

  test("nothing is sent when nothing changed", () => {
    const before = unit(port());
    expect(changeScript([{ before, after: unit(port()) }], "ip", countUses(new Map(), [{ before: undefined, after: before }]))).toBe("");
  });

  test("the hairpin element stays while another Service selects the pod", () => {
    const a = unit(port());
    const b = unit(port({ id: "default/other", clusterIP: "172.30.0.42" }));
    const uses = countUses(
      new Map(),
      [a, b].map((after) => ({ before: undefined, after })),
    );
    expect(changeScript([{ before: a, after: undefined }], "ip", uses)).not.toContain("hairpin");
    const left = countUses(uses, [{ before: a, after: undefined }]);
    expect(changeScript([{ before: b, after: undefined }], "ip", left)).toContain(
      "delete element ip navarch-proxy hairpin { 10.0.1.2 . 10.0.1.2 }",
    );
  });
});
