import { createFakeClock, type FakeClock } from "#base/clock.ts";
import { seededEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { CriRuntime } from "#cri/contract.ts";
import { createSimulatedRuntime, type SimulatedOptions } from "#cri/simulated/simulated-runtime.ts";
import type { Container, Pod, PodSpec } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import type { KubeletDeps, KubeletView } from "../contract.ts";
import { createSimulatedHost, simulatedProber } from "../host/simulated-host.ts";
import { runKubelet } from "../run.ts";
import { createFakeApi, type FakeApi } from "./fake-api.ts";

export interface TestNode {
  readonly api: FakeApi;
  readonly clock: FakeClock;
  readonly cri: CriRuntime;
  readonly view: () => KubeletView;
  create(name: string, spec: Partial<PodSpec>, metadata?: Pod["metadata"]): Stored<Pod>;
  pod(name: string): Stored<Pod> | undefined;
  /** Ends the agent as kill -9 would: containers stay. */
  stop(): Promise<void>;
  start(): void;
}

export interface TestNodeOptions extends Partial<Pick<KubeletDeps, "host" | "prober">> {
  readonly runtime?: Partial<SimulatedOptions>;
  readonly wrap?: (cri: CriRuntime) => CriRuntime;
}

/** A node agent on a simulated runtime, a fake API and a clock that the test moves. */
export function startTestNode({ runtime = {}, wrap = (cri) => cri, ...parts }: TestNodeOptions = {}): TestNode {
  const api = createFakeApi();
  const clock = createFakeClock("2030-01-01T00:00:00Z");
  const cri = wrap(createSimulatedRuntime({ clock, entropy: seededEntropy(7) }, { podCidr: "10.0.1.0/24", images: ["web:1"], ...runtime }));
  let running: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;
  let view: KubeletView | undefined;

  const node: TestNode = {
    api,
    clock,
    cri,
    view: () => {
      if (view === undefined) throw new Error("the kubelet has not started yet");
      return view;
    },
    create: (name, spec, metadata = {}) =>
      api.put(PodKind, {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { namespace: "default", name, uid: `uid-of-${name}`, generation: 1, ...metadata },
        spec: { nodeName: "n1", restartPolicy: "Always", terminationGracePeriodSeconds: 30, containers: [container("main")], ...spec },
        status: { phase: "Pending" },
      }),
    pod: (name) => api.find(PodKind, { name, namespace: "default" }),
    async stop() {
      running?.abort.abort();
      await running?.done;
    },
    start() {
      const abort = new AbortController();
      const done = runKubelet(
        {
          client: api.client,
          informers: api.informers,
          cri,
          events: { record: (note) => void api.notes.push(note) },
          host: createSimulatedHost(),
          prober: simulatedProber,
          clock,
          entropy: seededEntropy(9),
          log: silentLog,
          serve: async (given, signal) => {
            view = given;
            await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
          },
          ...parts,
        },
        { nodeName: "n1", nodeAddresses: ["192.168.0.11"], rootDirectory: "/root", logDirectory: "/logs", cgroupRoot: "/test" },
        abort.signal,
      );
      running = { abort, done };
    },
  };
  node.start();
  return node;
}

export function container(name: string, rest: Partial<Container> = {}): Container {
  return { name, image: "web:1", imagePullPolicy: "IfNotPresent", ...rest };
}
