import { expect, test } from "vitest";
import type { Pod, PodStatus } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import type { RuntimeContainer } from "./pod-runtime.ts";
import { computePodStatus, type StatusFacts } from "./status.ts";
import { container } from "./testing/node.ts";

const NOW = Date.parse("2030-01-01T00:10:00Z");

function pod(spec: Partial<Pod["spec"]> = {}, status: PodStatus = { phase: "Pending" }): Stored<Pod> {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "web",
      namespace: "default",
      uid: "u",
      resourceVersion: "1",
      creationTimestamp: "2030-01-01T00:00:00Z",
      generation: 3,
    },
    spec: { containers: [container("main")], restartPolicy: "Always", ...spec },
    status,
  };
}

function ran(name: string, rest: Partial<RuntimeContainer> = {}): RuntimeContainer {
  return {
    id: `${name}-${rest.restartCount ?? 0}`,
    name,
    sandboxId: "s0",
    restartCount: 0,
    hash: "",
    state: "running",
    createdAt: NOW - 60_000,
    startedAt: NOW - 60_000,
    finishedAt: 0,
    exitCode: 0,
    reason: "",
    message: "",
    image: "docker.io/library/web:1",
    imageId: "docker.io/library/web@sha256:1",
    logPath: "/logs/x",
    ...rest,
  };
}
const ended = (name: string, exitCode: number, rest: Partial<RuntimeContainer> = {}) =>
  ran(name, { state: "exited", exitCode, finishedAt: NOW - 1_000, ...rest });

interface World {
  readonly pod?: Stored<Pod>;
  readonly containers?: readonly RuntimeContainer[];
  readonly facts?: Partial<StatusFacts>;
}

function statusOf({ pod: of = pod(), containers = [], facts = {} }: World): PodStatus {
  return computePodStatus({
    pod: of,
    runtime: {
      uid: "u",
      name: "web",
      namespace: "default",
      sandboxes: [{ id: "s0", attempt: 0, ready: true, createdAt: NOW, ips: ["10.0.1.2"] }],
      containers,
    },
    probes: new Map(),
    waiting: new Map(),
    terminationMessages: new Map(),
    terminated: false,
    failure: undefined,
    hostIps: ["192.168.0.11"],
    runtimeName: "containerd",
    now: NOW,
    ...facts,
  });
}

const two = { containers: [container("a"), container("b")] };
const init = { initContainers: [container("i")] };

const phases: readonly (World & { readonly name: string; readonly phase: string })[] = [
  { name: "nothing was started", phase: "Pending" },
  { name: "one of two runs, the other waits", pod: pod(two), containers: [ran("a")], phase: "Pending" },
  { name: "both run", pod: pod(two), containers: [ran("a"), ran("b")], phase: "Running" },
  { name: "one of two has ended", pod: pod(two), containers: [ran("a"), ended("b", 1)], phase: "Running" },
  { name: "all are about to be restarted", containers: [ended("main", 1)], phase: "Running" },
  { name: "all succeeded, for good", pod: pod({ restartPolicy: "OnFailure" }), containers: [ended("main", 0)], phase: "Succeeded" },
  { name: "one failed, and is tried again", pod: pod({ restartPolicy: "OnFailure" }), containers: [ended("main", 1)], phase: "Running" },
  {
    name: "one failed, for good",
    pod: pod({ ...two, restartPolicy: "Never" }),
    containers: [ended("a", 0), ended("b", 1)],
    phase: "Failed",
  },
  { name: "an init container runs", pod: pod(init), containers: [ran("i")], phase: "Pending" },
  { name: "an init container failed and is tried again", pod: pod(init), containers: [ended("i", 1)], phase: "Pending" },
  {
    name: "an init container failed, for good",
    pod: pod({ ...init, restartPolicy: "Never" }),
    containers: [ended("i", 1)],
    phase: "Failed",
  },
  { name: "init containers are through, the main one waits", pod: pod(init), containers: [ended("i", 0)], phase: "Pending" },
  { name: "all runs", pod: pod(init), containers: [ran("main"), ended("i", 0)], phase: "Running" },
  { name: "it was ended from outside after success", containers: [ended("main", 0)], facts: { terminated: true }, phase: "Succeeded" },
  { name: "it was ended from outside with an error", containers: [ended("main", 137)], facts: { terminated: true }, phase: "Failed" },
  { name: "it was ended before it started", facts: { terminated: true }, phase: "Failed" },
  {
    name: "the node gave up on it",
    containers: [ran("main")],
    facts: { failure: { reason: "DeadlineExceeded", message: "m" } },
    phase: "Failed",
  },
  { name: "it was over before", pod: pod({}, { phase: "Succeeded" }), containers: [ran("main")], phase: "Succeeded" },
];

test.each(phases)("computePodStatus(): phase when $name", ({ phase, ...world }) => {
  expect(statusOf(world).phase).toBe(phase);
});

test("computePodStatus() is whole for a running pod", () => {
  expect(statusOf({ containers: [ran("main", { restartCount: 1 }), ended("main", 2, { reason: "Error" })] })).toEqual({
    phase: "Running",
    observedGeneration: 3,
    conditions: ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) => ({
      type,
      status: "True",
      observedGeneration: 3,
      lastTransitionTime: "2030-01-01T00:10:00Z",
    })),
    hostIP: "192.168.0.11",
    hostIPs: [{ ip: "192.168.0.11" }],
    podIP: "10.0.1.2",
    podIPs: [{ ip: "10.0.1.2" }],
    startTime: "2030-01-01T00:10:00Z",
    qosClass: "BestEffort",
    containerStatuses: [
      {
        name: "main",
        state: { running: { startedAt: "2030-01-01T00:09:00Z" } },
        lastState: {
          terminated: {
            exitCode: 2,
            reason: "Error",
            startedAt: "2030-01-01T00:09:00Z",
            finishedAt: "2030-01-01T00:09:59Z",
            containerID: "containerd://main-0",
          },
        },
        ready: true,
        started: true,
        restartCount: 1,
        image: "docker.io/library/web:1",
        imageID: "docker.io/library/web@sha256:1",
        containerID: "containerd://main-1",
        resources: {},
      },
    ],
  });
});

test("computePodStatus() shows why a container waits, and what it was before", () => {
  const waiting = new Map([["main", { reason: "CrashLoopBackOff", message: "back-off" }]]);
  expect(statusOf({ containers: [ended("main", 1)], facts: { waiting } }).containerStatuses?.[0]).toMatchObject({
    state: { waiting: { reason: "CrashLoopBackOff", message: "back-off" } },
    lastState: { terminated: { exitCode: 1 } },
    restartCount: 0,
  });
});

test("computePodStatus() keeps the time of a condition that did not turn", () => {
  const first = statusOf({ containers: [ran("main")] });
  const later = statusOf({ pod: pod({}, first), containers: [ran("main")], facts: { now: NOW + 60_000 } });
  expect(later).toEqual(first);
  const ready = (status: PodStatus) => status.conditions?.find(({ type }) => type === "Ready");
  const turned = statusOf({ pod: pod({}, first), containers: [ended("main", 1)], facts: { now: NOW + 60_000 } });
  expect(ready(turned)).toEqual({
    type: "Ready",
    status: "False",
    reason: "ContainersNotReady",
    message: "containers with unready status: [main]",
    observedGeneration: 3,
    lastTransitionTime: "2030-01-01T00:11:00Z",
  });
});

test("computePodStatus() keeps other writers' conditions and heeds readiness gates", () => {
  const gated = { readinessGates: [{ conditionType: "example.com/lb" }, { conditionType: "example.com/dns" }] };
  const status: PodStatus = { phase: "Pending", conditions: [{ type: "example.com/lb", status: "False" }] };
  const conditions = statusOf({ pod: pod(gated, status), containers: [ran("main")] }).conditions ?? [];
  expect(conditions.find(({ type }) => type === "Ready")).toMatchObject({
    status: "False",
    reason: "ReadinessGatesNotReady",
    message:
      'the status of pod readiness gate "example.com/lb" is not "True", but False, corresponding condition of pod readiness gate "example.com/dns" does not exist.',
  });
  expect(conditions.at(-1)).toEqual({ type: "example.com/lb", status: "False" });
});

test("computePodStatus() says what became of a container that the runtime has lost", () => {
  const known = statusOf({ containers: [ran("main", { restartCount: 2 })] });
  expect(statusOf({ pod: pod({}, known) }).containerStatuses?.[0]).toMatchObject({
    restartCount: 2,
    state: { waiting: { reason: "ContainerCreating" } },
    lastState: { terminated: { exitCode: 137, reason: "ContainerStatusUnknown", containerID: "containerd://main-2" } },
  });
});

test("computePodStatus() keeps an end as it was told first: what the container left behind may be gone", () => {
  const messages = new Map([["main-0", "farewell"]]);
  const first = statusOf({
    pod: pod({ restartPolicy: "Never" }),
    containers: [ended("main", 1)],
    facts: { terminationMessages: messages },
  });
  const again = statusOf({ pod: pod({ restartPolicy: "Never" }, first), containers: [ended("main", 1)] });
  expect(again.containerStatuses).toEqual(first.containerStatuses);
});

test("computePodStatus() keeps the pod's address when its sandbox is down", () => {
  const first = statusOf({ containers: [ran("main")] });
  const runtime = {
    uid: "u",
    name: "web",
    namespace: "default",
    sandboxes: [{ id: "s0", attempt: 0, ready: false, createdAt: NOW, ips: [] }],
    containers: [],
  };
  expect(statusOf({ pod: pod({}, first), facts: { runtime } })).toMatchObject({ podIP: "10.0.1.2", podIPs: [{ ip: "10.0.1.2" }] });
});
