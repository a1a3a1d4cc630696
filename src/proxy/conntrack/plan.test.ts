import { describe, expect, test } from "vitest";
import { ADDRESSES, conformancePort } from "../conformance.ts";
import { classifyConntrackError } from "./error.ts";
import { parseFlows, staleFlows } from "./plan.ts";

const LISTED = `udp      17 29 src=10.0.9.9 dst=172.30.0.41 sport=40000 dport=53 [UNREPLIED] src=10.0.1.2 dst=10.0.9.9 sport=5353 dport=40000 mark=0 use=1
udp      17 29 src=10.0.9.9 dst=172.30.0.41 sport=40001 dport=53 src=172.30.0.41 dst=10.0.9.9 sport=53 dport=40001 mark=0 use=1
udp      17 29 src=203.0.113.7 dst=192.168.0.1 sport=40002 dport=30053 src=10.0.2.3 dst=192.168.0.1 sport=5353 dport=40002 [ASSURED] mark=0 use=1
udp      17 29 src=10.0.9.9 dst=198.51.100.1 sport=40003 dport=53 src=198.51.100.1 dst=10.0.9.9 sport=53 dport=40003 mark=0 use=1
`;

describe("staleFlows()", () => {
  const flows = parseFlows(LISTED);
  const port = conformancePort({ protocol: "UDP", port: 53, nodePort: 30_053 });
  const here = { ip: ADDRESSES.here, port: 5353 };
  const there = { ip: ADDRESSES.there, port: 5353 };

  test.each([
    { name: "both endpoints answer: only the flow from before them is stale", answering: [here, there], stale: ["172.30.0.41"] },
    { name: "an endpoint is gone", answering: [here], stale: ["172.30.0.41", "10.0.2.3"] },
    { name: "all are gone", answering: [], stale: ["10.0.1.2", "172.30.0.41", "10.0.2.3"] },
    { name: "any port of an address may answer", answering: [{ ip: ADDRESSES.here, port: 0 }], stale: ["172.30.0.41", "10.0.2.3"] },
  ])("$name", ({ answering, stale }) => {
    expect(staleFlows(flows, [{ port, answering }], [ADDRESSES.node]).map((flow) => flow.answers)).toEqual(stale);
  });

  test("flows that are not to a Service are left alone", () => {
    expect(staleFlows(flows, [], [ADDRESSES.node])).toEqual([]);
    expect(staleFlows(flows, [{ port: { ...port, nodePort: 0 }, answering: [here] }], [ADDRESSES.node])).toHaveLength(1);
  });
});

test.each([
  ["conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted.", "nothing there"],
  ["conntrack v1.4.7 (conntrack-tools): Operation failed: Operation not permitted", "unsupported"],
  ["conntrack v1.4.7 (conntrack-tools): Bad parameter", "unknown"],
])("classifyConntrackError(%j) is %s", (stderr, kind) => expect(classifyConntrackError(stderr).kind).toBe(kind));
