import type { Node, Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { schedulePod } from "#scheduler/cycle.ts";
import { FILTERS, SCORERS } from "#scheduler/plugins/registry.ts";
import type { ClusterFacts } from "#scheduler/plugins/plugin.ts";
import { podFacts } from "#scheduler/pod-facts.ts";
import { createSnapshot } from "#scheduler/snapshot.ts";
import { BUDGETS } from "./budgets.ts";
import { count, createAll, openSession } from "./http.ts";
import { benchNode, benchPod } from "./objects.ts";
import { type Part, nothingMissing } from "./part.ts";
import { spread } from "./report.ts";
import { startServer } from "./server-process.ts";

const NODES = 5000;
const CYCLE_MS = 3000;
const THROUGH_API_PODS = 3000;
const ZONE = "topology.kubernetes.io/zone";

const SHAPES: readonly { readonly label: string; readonly spec: (labels: Readonly<Record<string, string>>) => Partial<Pod["spec"]> }[] = [
  { label: "plain pods", spec: () => ({}) },
  {
    label: "pods spread over zones",
    spec: (matchLabels) => ({
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: ZONE, whenUnsatisfiable: "DoNotSchedule", labelSelector: { matchLabels } }],
    }),
  },
  {
    label: "pods apart from each other",
    spec: (matchLabels) => ({
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels } }],
        },
      },
    }),
  },
];

export const scheduler: Part = {
  name: "scheduler",
  about: `pods a second on ${NODES} nodes: the decision alone, and through the API server`,
  limitMs: 60_000,
  missing: nothingMissing,
  async run(bench) {
    const { row, progress } = bench;
    const nodes = Array.from({ length: NODES }, (_, i) => benchNode(i));
    for (const { label, spec } of SHAPES) {
      progress(`${label} on ${NODES} nodes`);
      row({ name: `${label}, decision alone`, ...decide(nodes, spec), unit: "pods/s", budget: BUDGETS.schedulingPerSecond });
    }
    await throughApi();

    /** Nodes and pods as objects of a whole server: queue, decision, binding and event. */
    async function throughApi(): Promise<void> {
      progress(`${THROUGH_API_PODS} pods on ${NODES} nodes through the API server`);
      await using server = await startServer(bench, { store: "lmdb" });
      const session = await openSession(server.access);
      const tolerations = [{ operator: "Exists" as const }]; // these nodes have no kubelet
      await createAll(
        session,
        "/api/v1/nodes",
        nodes.map(({ metadata: { name, labels }, status }) => ({
          apiVersion: "v1",
          kind: "Node",
          metadata: { name, labels },
          spec: {},
          status,
        })),
      );
      const started = performance.now();
      await createAll(
        session,
        "/api/v1/namespaces/default/pods",
        Array.from({ length: THROUGH_API_PODS }, (_, i) => benchPod(`through-api-${i}`, { tolerations })),
      );
      const created = performance.now() - started;
      for (let left = THROUGH_API_PODS; left > 0; ) {
        bench.signal.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, 50));
        left = await count(session, "/api/v1/pods?fieldSelector=spec.nodeName%3D");
      }
      const seconds = (performance.now() - started) / 1000;
      session.destroy();
      row({
        name: "plain pods, created and bound through the API",
        value: THROUGH_API_PODS / seconds,
        unit: "pods/s",
        budget: BUDGETS.schedulingPerSecond,
        note: `all created after ${(created / 1000).toFixed(1)} s`,
      });
    }
  },
};

function decide(nodes: readonly Stored<Node>[], spec: (labels: Readonly<Record<string, string>>) => Partial<Pod["spec"]>) {
  const snapshot = createSnapshot();
  for (const node of nodes) snapshot.setNode(node);
  snapshot.setNamespace("default", {});
  const facts: ClusterFacts = { spreadSelector: () => undefined, claim: () => undefined, volume: () => undefined };
  const cycles: number[] = [];
  let startAt = 0;
  const started = performance.now();
  for (let i = 0; performance.now() - started < CYCLE_MS; i++) {
    const labels = { app: `app-${Math.floor(i / 200)}` };
    const from = performance.now();
    const pod = podFacts(stored(benchPod(`pod-${i}`, spec(labels), labels), i));
    const decision = schedulePod({ pod, snapshot, facts, filters: FILTERS, scorers: SCORERS, startAt, pick: (n) => i % n });
    if (!decision.ok) throw new Error(`Cannot measure the scheduler: pod ${i} fits on no node, wanted room for all`);
    startAt = decision.nextStart;
    snapshot.place(pod, decision.node);
    cycles.push(performance.now() - from);
  }
  return { value: (cycles.length / (performance.now() - started)) * 1000, ...spread(cycles) };
}

function stored(pod: Pod, i: number): Stored<Pod> {
  const { name = "" } = pod.metadata;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      name,
      namespace: "default",
      uid: `uid-${i}`,
      resourceVersion: "1",
      creationTimestamp: "2030-01-01T00:00:00Z",
    },
  };
}
