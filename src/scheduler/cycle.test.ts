import { describe, expect, test } from "vitest";
import type { Node, Pod, PersistentVolume, PersistentVolumeClaim } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { selectorFromMap } from "#machinery/selector.ts";
import { meta, node, pod } from "#testing/builders.ts";
import { type CycleInput, type Decision, enoughFeasible, schedulePod } from "./cycle.ts";
import { failureMessage } from "./failure-message.ts";
import type { ClusterFacts } from "./plugins/plugin.ts";
import { FILTERS, SCORERS } from "./plugins/registry.ts";
import { podFacts } from "./pod-facts.ts";
import { createSnapshot, type Snapshot } from "./snapshot.ts";

const NO_FACTS: ClusterFacts = { spreadSelector: () => undefined, claim: () => undefined, volume: () => undefined };

function picture(nodes: readonly Stored<Node>[], placed: readonly Stored<Pod>[] = []): Snapshot {
  const snapshot = createSnapshot();
  for (const each of nodes) snapshot.setNode(each);
  for (const each of placed) snapshot.place(podFacts(each), each.spec.nodeName ?? "");
  return snapshot;
}

function decide(wanted: Stored<Pod>, snapshot: Snapshot, more: Partial<CycleInput> = {}): Decision {
  return schedulePod({
    pod: podFacts(wanted),
    snapshot,
    facts: NO_FACTS,
    filters: FILTERS,
    scorers: SCORERS,
    startAt: 0,
    pick: () => 0,
    ...more,
  });
}

/** Where the pod goes, or why it does not. */
function outcome(wanted: Stored<Pod>, snapshot: Snapshot, more: Partial<CycleInput> = {}): string {
  const decision = decide(wanted, snapshot, more);
  return decision.ok ? decision.node : failureMessage(podFacts(wanted), decision.failure);
}

const required = (topologyKey: string, app: string) => [{ topologyKey, labelSelector: { matchLabels: { app } } }];
const affinity = (app: string) => ({
  affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required("kubernetes.io/hostname", app) } },
});
const antiAffinity = (app: string) => ({
  affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required("kubernetes.io/hostname", app) } },
});
const nodeIn = (key: string, ...values: string[]) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key, operator: "In" as const, values }] }],
      },
    },
  },
});
const spread = (whenUnsatisfiable: "DoNotSchedule" | "ScheduleAnyway", topologyKey = "zone") => ({
  topologySpreadConstraints: [{ maxSkew: 1, topologyKey, whenUnsatisfiable, labelSelector: { matchLabels: { app: "web" } } }],
});
const web = (name: string, on: string) => pod(name, { labels: { app: "web" }, node: on });

describe("schedulePod() filters", () => {
  const preempt = (n: number, why: string) => ` preemption: 0/${n} nodes are available: ${n} ${why}.`;
  const HELPLESS = "Preemption is not helpful for scheduling";
  const VICTIMLESS = "No preemption victims found for incoming pod";

  test.each<[string, Stored<Pod>, Snapshot, string]>([
    ["no nodes at all", pod("p"), picture([]), "no nodes available to schedule pods"],
    [
      "cpu in use",
      pod("p", { requests: { cpu: "3" } }),
      picture(
        [node("n1"), node("n2")],
        [pod("a", { node: "n1", requests: { cpu: "2" } }), pod("b", { node: "n2", requests: { cpu: "2" } })],
      ),
      `0/2 nodes are available: 2 Insufficient cpu.${preempt(2, VICTIMLESS)}`,
    ],
    [
      "more than any node has, of everything",
      pod("p", { requests: { cpu: "5", memory: "9Gi", "example.com/gpu": "1" } }),
      picture([node("n1")]),
      `0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient example.com/gpu, 1 Insufficient memory.${preempt(1, HELPLESS)}`,
    ],
    [
      "pods",
      pod("p"),
      picture([node("n1", { allocatable: { pods: "1" } })], [pod("a", { node: "n1" })]),
      `0/1 nodes are available: 1 Too many pods.${preempt(1, VICTIMLESS)}`,
    ],
    [
      "taints and cordons, each node counted once",
      pod("p"),
      picture([
        node("n1", { taints: [{ key: "k", effect: "NoSchedule" }] }),
        node("n2", { unschedulable: true, taints: [{ key: "k", effect: "NoSchedule" }] }),
      ]),
      `0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.${preempt(2, HELPLESS)}`,
    ],
    [
      "tolerated taint",
      pod("p", { spec: { tolerations: [{ key: "k", operator: "Exists" }] } }),
      picture([node("n1", { taints: [{ key: "k", effect: "NoSchedule" }] })]),
      "n1",
    ],
    [
      "node selector",
      pod("p", { spec: { nodeSelector: { disk: "ssd" } } }),
      picture([node("n1"), node("n2", { labels: { disk: "ssd" } })]),
      "n2",
    ],
    [
      "node affinity",
      pod("p", { spec: nodeIn("disk", "nvme") }),
      picture([node("n1", { labels: { disk: "ssd" } })]),
      `0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.${preempt(1, HELPLESS)}`,
    ],
    [
      "host port in use",
      pod("p", { container: { ports: [{ containerPort: 80, hostPort: 80 }] } }),
      picture([node("n1")], [pod("a", { node: "n1", container: { ports: [{ containerPort: 80, hostPort: 80, hostIP: "10.0.0.1" }] } })]),
      `0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.${preempt(1, VICTIMLESS)}`,
    ],
    [
      "affinity to a pod",
      pod("p", { spec: affinity("db") }),
      picture([node("n1"), node("n2")], [pod("a", { labels: { app: "db" }, node: "n2" })]),
      "n2",
    ],
    [
      "affinity to nobody",
      pod("p", { spec: affinity("db") }),
      picture([node("n1")]),
      `0/1 nodes are available: 1 node(s) didn't match pod affinity rules.${preempt(1, HELPLESS)}`,
    ],
    [
      "affinity to itself: the first may start anywhere",
      pod("p", { labels: { app: "db" }, spec: affinity("db") }),
      picture([node("n1")]),
      "n1",
    ],
    [
      "anti-affinity",
      pod("p", { spec: antiAffinity("web") }),
      picture([node("n1")], [web("a", "n1")]),
      `0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.${preempt(1, VICTIMLESS)}`,
    ],
    [
      "anti-affinity of a pod that is there",
      pod("p", { labels: { app: "web" } }),
      picture([node("n1")], [pod("a", { node: "n1", spec: antiAffinity("web") })]),
      `0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.${preempt(1, VICTIMLESS)}`,
    ],
    [
      "topology spread",
      pod("p", { labels: { app: "web" }, spec: spread("DoNotSchedule") }),
      picture([node("n1", { labels: { zone: "a" } }), node("n2", { labels: { zone: "b" } })], [web("x", "n1")]),
      "n2",
    ],
    [
      "topology spread without the label",
      pod("p", { labels: { app: "web" }, spec: spread("DoNotSchedule") }),
      picture([node("n1")]),
      `0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).${preempt(1, HELPLESS)}`,
    ],
    [
      "a claim that does not exist",
      pod("p", { spec: { volumes: [{ name: "v", persistentVolumeClaim: { claimName: "data" } }] } }),
      picture([node("n1")]),
      `0/1 nodes are available: persistentvolumeclaim "data" not found.${preempt(1, HELPLESS)}`,
    ],
    [
      "devices, which are not supported",
      pod("p", { spec: { resourceClaims: [{ name: "gpu" }] } }),
      picture([node("n1")]),
      `0/1 nodes are available: resource claims are not supported by this scheduler.${preempt(1, HELPLESS)}`,
    ],
    [
      "preemptionPolicy Never",
      pod("p", { requests: { cpu: "5" }, spec: { preemptionPolicy: "Never" } }),
      picture([node("n1")]),
      "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.",
    ],
    [
      "lower priority in the way: said, not hidden",
      pod("p", { requests: { cpu: "3" }, spec: { priority: 10 } }),
      picture([node("n1")], [pod("a", { node: "n1", requests: { cpu: "2" } })]),
      `0/1 nodes are available: 1 Insufficient cpu.${preempt(1, "Preemption is not supported by this scheduler")}`,
    ],
  ])("%s", (_name, wanted, snapshot, expected) => {
    expect(outcome(wanted, snapshot)).toBe(expected);
  });

  test("a bound claim ties the pod to the nodes that reach its volume", () => {
    const claim: Stored<PersistentVolumeClaim> = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: meta("pvc", "data", { namespace: "default" }),
      spec: { volumeName: "pv1" },
      status: { phase: "Bound" },
    };
    const volume: Stored<PersistentVolume> = {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: meta("pv", "pv1"),
      spec: {
        nodeAffinity: {
          required: { nodeSelectorTerms: [{ matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["n2"] }] }] },
        },
      },
    };
    const wanted = pod("p", { spec: { volumes: [{ name: "v", persistentVolumeClaim: { claimName: "data" } }] } });
    const facts = { ...NO_FACTS, claim: () => claim, volume: () => volume };
    expect(outcome(wanted, picture([node("n1"), node("n2")]), { facts })).toBe("n2");
    const pending = { ...NO_FACTS, claim: () => ({ ...claim, spec: {}, status: { phase: "Pending" as const } }) };
    expect(outcome(wanted, picture([node("n1")]), { facts: pending })).toContain("pod has unbound immediate PersistentVolumeClaims");
  });
});

describe("schedulePod() scores", () => {
  test.each<[string, Stored<Pod>, Snapshot, Partial<CycleInput>, string]>([
    [
      "the emptier node",
      pod("p", { requests: { cpu: "1" } }),
      picture([node("n1"), node("n2")], [pod("a", { node: "n1", requests: { cpu: "2" } })]),
      {},
      "n2",
    ],
    [
      "the emptier node also when nobody asks for anything",
      pod("p"),
      picture([node("n1"), node("n2")], [pod("a", { node: "n1" })]),
      {},
      "n2",
    ],
    [
      "the node without a soft taint",
      pod("p"),
      picture(
        [node("n1", { taints: [{ key: "k", effect: "PreferNoSchedule" }] }), node("n2")],
        [pod("a", { node: "n2", requests: { cpu: "1" } })],
      ),
      {},
      "n2",
    ],
    [
      "the preferred node",
      pod("p", {
        spec: {
          affinity: {
            nodeAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 1, preference: { matchExpressions: [{ key: "disk", operator: "Exists" }] } },
              ],
            },
          },
        },
      }),
      picture([node("n1"), node("n2", { labels: { disk: "x" } })]),
      {},
      "n2",
    ],
    [
      "the node with fewer pods of the same Service",
      pod("p", { labels: { app: "web" } }),
      picture([node("n1"), node("n2")], [web("a", "n1"), pod("b", { node: "n2", requests: { cpu: "500m", memory: "1Gi" } })]),
      { facts: { ...NO_FACTS, spreadSelector: () => selectorFromMap({ app: "web" }) } },
      "n2",
    ],
    [
      "the zone with fewer",
      pod("p", { labels: { app: "web" }, spec: spread("ScheduleAnyway") }),
      picture(
        [node("n1", { labels: { zone: "a" } }), node("n2", { labels: { zone: "a" } }), node("n3", { labels: { zone: "b" } })],
        [web("a", "n1"), web("b", "n3"), web("c", "n3")],
      ),
      {},
      "n2",
    ],
    [
      "the node of a preferred neighbour",
      pod("p", {
        spec: {
          affinity: {
            podAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 100, podAffinityTerm: { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "web" } } } },
              ],
            },
          },
        },
      }),
      picture([node("n1"), node("n2")], [web("a", "n2")]),
      {},
      "n2",
    ],
  ])("prefers %s", (_name, wanted, snapshot, more, expected) => {
    expect(outcome(wanted, snapshot, more)).toBe(expected);
  });

  test("three pods of a Service spread over two nodes", () => {
    const snapshot = picture([node("n1"), node("n2")]);
    const facts = { ...NO_FACTS, spreadSelector: () => selectorFromMap({ app: "web" }) };
    const nodes = [1, 2, 3].map((i) => {
      const wanted = pod(`p${i}`, { labels: { app: "web" } });
      const chosen = outcome(wanted, snapshot, { facts });
      snapshot.place(podFacts(wanted), chosen);
      return chosen;
    });
    expect(nodes).toEqual(["n1", "n2", "n1"]);
  });

  test("looks at enough nodes, not all, and goes on where it stopped", () => {
    expect([10, 99, 100, 1000, 5000, 10_000].map(enoughFeasible)).toEqual([10, 99, 100, 420, 500, 500]);
    const snapshot = picture(Array.from({ length: 1000 }, (_, i) => node(`n${i}`)));
    expect(decide(pod("p"), snapshot, { startAt: 900 })).toMatchObject({ ok: true, evaluated: 420, feasible: 420, nextStart: 320 });
  });
});

describe("createSnapshot()", () => {
  test("S1, S2: a moved pod counts once; pods wait for their node", () => {
    const snapshot = createSnapshot();
    const facts = podFacts(pod("a", { labels: { app: "web" }, requests: { cpu: "1" } }));
    const selection = { namespaces: new Set(["default"]), namespaceSelector: undefined, selector: selectorFromMap({ app: "web" }) };
    snapshot.place(facts, "n1");
    expect([...snapshot.counts(selection)]).toEqual([["n1", 1]]);
    snapshot.setNode(node("n1"));
    expect(snapshot.node("n1")?.requested).toEqual({ cpu: 1000 });
    snapshot.setNode(node("n2"));
    snapshot.place(facts, "n2");
    expect(snapshot.node("n1")?.requested).toEqual({ cpu: 0 });
    expect([...snapshot.counts(selection)]).toEqual([["n2", 1]]);
    snapshot.remove("pod-a");
    expect(snapshot.node("n2")?.pods.size).toBe(0);
    expect([...snapshot.counts(selection)]).toEqual([]);
  });
});

describe("requestsOf()", () => {
  test("takes the larger of running and starting, sidecars with both, and overhead on top", () => {
    const cpu = (amount: string) => ({ resources: { requests: { cpu: amount } } });
    const facts = podFacts(
      pod("p", {
        spec: {
          containers: [
            { name: "a", ...cpu("1") },
            { name: "b", ...cpu("500m") },
          ],
          initContainers: [
            { name: "sidecar", restartPolicy: "Always", ...cpu("200m") },
            { name: "init", ...cpu("2") },
          ],
          overhead: { cpu: "50m" },
        },
      }),
    );
    expect(facts.requests).toEqual({ cpu: 2250 });
  });
});
