import { describe, expect, test } from "vitest";
import type { Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { containerHash } from "./names.ts";
import { type ContainerProbes, planPod, type PodAction, terminationStages } from "./plan.ts";
import type { RuntimeContainer, RuntimeSandbox } from "./pod-runtime.ts";
import { nextBackOff, restartAllowedAt, type RestartBackOff } from "./restart-back-off.ts";
import { container } from "./testing/node.ts";

const NOW = Date.parse("2030-01-01T00:10:00Z");

function pod(spec: Partial<Pod["spec"]> = {}, status: Pod["status"] = { phase: "Pending" }): Stored<Pod> {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "default", uid: "u", resourceVersion: "1", creationTimestamp: "2030-01-01T00:00:00Z" },
    spec: { containers: [container("main")], restartPolicy: "Always", ...spec },
    status,
  };
}

const sandbox: RuntimeSandbox = { id: "s0", attempt: 0, ready: true, createdAt: NOW - 60_000, ips: ["10.0.1.2"] };

function ran(name: string, rest: Partial<RuntimeContainer> = {}): RuntimeContainer {
  return {
    id: `${name}-${rest.restartCount ?? 0}`,
    name,
    sandboxId: "s0",
    restartCount: 0,
    hash: containerHash(container(name)),
    state: "running",
    createdAt: NOW - 60_000,
    startedAt: NOW - 60_000,
    finishedAt: 0,
    exitCode: 0,
    reason: "",
    message: "",
    image: "web:1",
    imageId: "sha256:1",
    logPath: "/logs/x",
    ...rest,
  };
}
const ended = (name: string, exitCode: number, rest: Partial<RuntimeContainer> = {}) =>
  ran(name, { state: "exited", exitCode, finishedAt: NOW - 1_000, ...rest });

interface Case {
  readonly name: string;
  readonly pod?: Stored<Pod>;
  readonly sandboxes?: readonly RuntimeSandbox[];
  readonly containers?: readonly RuntimeContainer[];
  readonly probes?: Readonly<Record<string, Partial<ContainerProbes>>>;
  readonly backOff?: Readonly<Record<string, RestartBackOff>>;
  readonly actions: readonly string[] | "finished";
}

const withInit = { initContainers: [container("i1"), container("i2")] };
const withSidecar = { initContainers: [container("side", { restartPolicy: "Always" }), container("i1")] };

const cases: readonly Case[] = [
  { name: "nothing is there", sandboxes: [], actions: ["sandbox 0"] },
  { name: "a sandbox is ready", actions: ["start main 0"] },
  { name: "all is well", containers: [ran("main")], actions: [] },
  { name: "the sandbox died", sandboxes: [{ ...sandbox, ready: false }], containers: [ended("main", 137)], actions: ["sandbox 1 changed"] },
  { name: "the sandbox lost its address", sandboxes: [{ ...sandbox, ips: [] }], actions: ["sandbox 1 changed"] },
  {
    name: "the host's network needs no address",
    pod: pod({ hostNetwork: true }),
    sandboxes: [{ ...sandbox, ips: [] }],
    actions: ["start main 0"],
  },
  {
    name: "the sandbox died and Never forbids another",
    pod: pod({ restartPolicy: "Never" }),
    sandboxes: [{ ...sandbox, ready: false }],
    containers: [ended("main", 137)],
    actions: "finished",
  },
  {
    name: "the sandbox died after all succeeded",
    pod: pod({ restartPolicy: "OnFailure" }),
    sandboxes: [{ ...sandbox, ready: false }],
    containers: [ended("main", 0)],
    actions: "finished",
  },
  { name: "Always restarts success", containers: [ended("main", 0)], actions: ["start main 1"] },
  {
    name: "OnFailure restarts failure",
    pod: pod({ restartPolicy: "OnFailure" }),
    containers: [ended("main", 1)],
    actions: ["start main 1"],
  },
  {
    name: "OnFailure is done after success",
    pod: pod({ restartPolicy: "OnFailure" }),
    containers: [ended("main", 0)],
    actions: "finished",
  },
  { name: "Never is done after failure", pod: pod({ restartPolicy: "Never" }), containers: [ended("main", 1)], actions: "finished" },
  {
    name: "one of two is done, the other runs",
    pod: pod({ restartPolicy: "Never", containers: [container("a"), container("b")] }),
    containers: [ended("a", 0), ran("b")],
    actions: [],
  },
  {
    name: "back-off holds a restart back",
    containers: [ended("main", 1)],
    backOff: { main: { delayMs: 10_000, since: NOW - 5_000 } },
    actions: ["wait main 10s"],
  },
  {
    name: "back-off is over",
    containers: [ended("main", 1, { finishedAt: NOW - 10_000 })],
    backOff: { main: { delayMs: 10_000, since: NOW - 20_000 } },
    actions: ["start main 1"],
  },
  { name: "a container left in creation is made again", containers: [ran("main", { state: "created" })], actions: ["start main 1"] },
  { name: "an unknown container is killed first", containers: [ran("main", { state: "unknown" })], actions: ["kill main", "start main 1"] },
  {
    name: "the image changed",
    containers: [ran("main", { hash: "other" })],
    actions: ["kill main: Container main definition changed, will be restarted"],
  },
  {
    name: "liveness failed",
    containers: [ran("main")],
    probes: { "main-0": { liveness: "failure" } },
    actions: ["kill main: Container main failed liveness probe, will be restarted"],
  },
  {
    name: "liveness failed and Never forbids a restart",
    pod: pod({ restartPolicy: "Never" }),
    containers: [ran("main")],
    probes: { "main-0": { liveness: "failure" } },
    actions: ["kill main: Container main failed liveness probe"],
  },
  {
    name: "startup failed",
    containers: [ran("main")],
    probes: { "main-0": { startup: "failure" } },
    actions: ["kill main: Container main failed startup probe, will be restarted"],
  },
  { name: "readiness failing changes nothing", containers: [ran("main")], probes: { "main-0": { readiness: "failure" } }, actions: [] },
  { name: "init containers: the first alone", pod: pod(withInit), actions: ["start i1 0 init"] },
  { name: "init containers: the first runs", pod: pod(withInit), containers: [ran("i1")], actions: [] },
  { name: "init containers: the second follows", pod: pod(withInit), containers: [ended("i1", 0)], actions: ["start i2 0 init"] },
  {
    name: "init containers: then the main ones",
    pod: pod(withInit),
    containers: [ended("i2", 0), ended("i1", 0)],
    actions: ["start main 0"],
  },
  { name: "init containers: a failed one again", pod: pod(withInit), containers: [ended("i1", 2)], actions: ["start i1 1 init"] },
  {
    name: "init containers: a failed one ends a Never pod",
    pod: pod({ ...withInit, restartPolicy: "Never" }),
    containers: [ended("i1", 2)],
    actions: "finished",
  },
  {
    name: "init containers do not run again once a main one was made",
    pod: pod(withInit),
    containers: [ended("main", 1)],
    actions: ["start main 1"],
  },
  {
    name: "init containers run again in a new sandbox",
    pod: pod(withInit),
    sandboxes: [{ ...sandbox, id: "s1", attempt: 1 }],
    containers: [ended("main", 1), ended("i2", 0), ended("i1", 0)],
    actions: ["start i1 0 init"],
  },
  { name: "sidecars start before init containers", pod: pod(withSidecar), actions: ["start side 0 sidecar"] },
  { name: "sidecars do not hold up those after them", pod: pod(withSidecar), containers: [ran("side")], actions: ["start i1 0 init"] },
  {
    name: "sidecars with a startup probe do until it succeeds",
    pod: pod({ initContainers: [container("side", { restartPolicy: "Always", startupProbe: {} }), container("i1")] }),
    containers: [ran("side")],
    probes: { "side-0": { startup: "pending" } },
    actions: [],
  },
  {
    name: "sidecars restart while the pod runs, whatever its policy",
    pod: pod({ ...withSidecar, restartPolicy: "Never" }),
    containers: [ran("main"), ended("i1", 0), ended("side", 0)],
    actions: ["start side 1 sidecar"],
  },
  {
    name: "a pod is done when only sidecars are left",
    pod: pod({ ...withSidecar, restartPolicy: "Never" }),
    containers: [ended("main", 0), ended("i1", 0), ran("side")],
    actions: "finished",
  },
  {
    name: "the deadline has passed",
    pod: pod({ activeDeadlineSeconds: 60 }, { phase: "Running", startTime: "2030-01-01T00:09:00Z" }),
    containers: [ran("main")],
    actions: "finished",
  },
  { name: "the API says it is over", pod: pod({}, { phase: "Failed" }), containers: [ran("main")], actions: "finished" },
  {
    name: "only the last dead container of a name is kept",
    containers: [
      ran("main", { restartCount: 3 }),
      ended("main", 1, { restartCount: 2 }),
      ended("main", 1, { restartCount: 1 }),
      ended("main", 1),
    ],
    actions: ["remove main-1", "remove main-0"],
  },
  {
    name: "sandboxes without containers go, the present one stays",
    sandboxes: [
      { ...sandbox, id: "s0", attempt: 1 },
      { ...sandbox, id: "old", ready: false },
    ],
    containers: [ran("main")],
    actions: ["remove old"],
  },
];

function describeAction(action: PodAction): string {
  switch (action.do) {
    case "replaceSandbox":
      return `sandbox ${action.attempt}${action.changed ? " changed" : ""}`;
    case "start":
      return `start ${action.container.name} ${action.restartCount}${action.type === "main" ? "" : ` ${action.type}`}`;
    case "kill":
      return `kill ${action.target.name}${action.because === "unknown" ? "" : `: ${action.message}`}`;
    case "removeContainer":
    case "removeSandbox":
      return `remove ${action.id}`;
  }
}

function planned({ pod: of = pod(), sandboxes = [sandbox], containers = [], probes = {}, backOff = {} }: Case) {
  const none: ContainerProbes = { startup: "none", liveness: "none", readiness: "none" };
  return planPod({
    pod: of,
    runtime: { uid: "u", name: "web", namespace: "default", sandboxes, containers },
    probes: new Map(Object.entries(probes).map(([id, said]) => [id, { ...none, ...said }])),
    backOff: new Map(Object.entries(backOff)),
    now: NOW,
  });
}

test.each(cases)("planPod(): $name", (each) => {
  const plan = planned(each);
  const waits =
    plan.state === "finished"
      ? []
      : Array.from(plan.waiting, ([name, { message }]) => `wait ${name} ${/^back-off (\S+)/.exec(message)?.[1]}`);
  expect(plan.state === "finished" ? "finished" : [...plan.actions.map(describeAction), ...waits]).toEqual(each.actions);
});

test("planPod() asks to be called again when a back-off or the deadline ends", () => {
  const held = planned({ name: "", containers: [ended("main", 1)], backOff: { main: { delayMs: 20_000, since: NOW } }, actions: [] });
  expect(held).toMatchObject({ recheckAt: NOW - 1_000 + 20_000 });
  const limited = pod({ activeDeadlineSeconds: 120 }, { phase: "Running", startTime: "2030-01-01T00:09:00Z" });
  expect(planned({ name: "", pod: limited, containers: [ran("main")], actions: [] })).toMatchObject({ recheckAt: NOW + 60_000 });
});

test("planPod() continues the count of restarts that the runtime has forgotten", () => {
  const status = {
    phase: "Running" as const,
    containerStatuses: [{ name: "main", ready: true, restartCount: 4, image: "", imageID: "", containerID: "containerd://x" }],
  };
  expect(planned({ name: "", pod: pod({}, status), actions: [] })).toMatchObject({ actions: [{ do: "start", restartCount: 5 }] });
});

describe("restart back-off", () => {
  test("doubles from 10 s to 5 min", () => {
    let entry: RestartBackOff | undefined;
    const delays = Array.from({ length: 7 }, (_, index) => {
      entry = nextBackOff(entry, index * 1_000, index * 1_000);
      return entry.delayMs / 1_000;
    });
    expect(delays).toEqual([10, 20, 40, 80, 160, 300, 300]);
  });

  test("starts over after ten quiet minutes", () => {
    const entry = { delayMs: 300_000, since: 0 };
    expect(restartAllowedAt(entry, 600_000)).toBe(900_000);
    expect(restartAllowedAt(entry, 600_001)).toBe(600_001);
    expect(nextBackOff(entry, 600_001, 600_001)).toEqual({ delayMs: 10_000, since: 600_001 });
  });
});

test("terminationStages() ends sidecars after all others, last started first", () => {
  const spec = pod({
    initContainers: [container("s1", { restartPolicy: "Always" }), container("s2", { restartPolicy: "Always" })],
    containers: [container("a"), container("b")],
  });
  const containers = [ran("a"), ran("b"), ended("old", 0), ran("s1"), ran("s2")];
  const stages = terminationStages(spec, { uid: "u", name: "web", namespace: "default", sandboxes: [sandbox], containers });
  expect(stages.map((stage) => stage.map((each) => each.name))).toEqual([["a", "b"], ["s2"], ["s1"]]);
});
