import { formatTime, type Instant } from "#base/clock.ts";
import type {
  Container,
  ContainerState,
  ContainerStateTerminated,
  ContainerStatus,
  Pod,
  PodCondition,
  PodStatus,
} from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { isSidecar } from "./names.ts";
import { type ContainerProbes, mayRun, type Waiting } from "./plan.ts";
import { currentSandbox, history, type PodRuntime, type RuntimeContainer } from "./pod-runtime.ts";
import { qosClassOf } from "./resources.ts";

export interface StatusFacts {
  readonly pod: Stored<Pod>;
  readonly runtime: PodRuntime;
  /** By container id. */
  readonly probes: ReadonlyMap<string, ContainerProbes>;
  /** By container name: why it was not started. */
  readonly waiting: ReadonlyMap<string, Waiting>;
  /** By container id. */
  readonly terminationMessages: ReadonlyMap<string, string>;
  /** Nothing of the pod runs any more, nor will. */
  readonly terminated: boolean;
  /** The node's verdict, which goes before the containers'. */
  readonly failure: { readonly reason: string; readonly message: string } | undefined;
  readonly hostIps: readonly string[];
  /** Scheme of container ids: "containerd". */
  readonly runtimeName: string;
  readonly now: Instant;
}

/** The status of the pod as this node sees it. What other writers put there (their conditions, nominatedNodeName) is kept. */
export function computePodStatus(facts: StatusFacts): PodStatus {
  const { pod, failure, hostIps, now } = facts;
  const previous = pod.status ?? {};
  const initContainerStatuses = (pod.spec.initContainers ?? []).map((container) => containerStatus(container, facts, true));
  const containerStatuses = pod.spec.containers.map((container) => containerStatus(container, facts, false));
  const ephemeralContainerStatuses = (pod.spec.ephemeralContainers ?? []).map((container) => containerStatus(container, facts, false));
  const phase = isOver(previous.phase)
    ? previous.phase
    : failure !== undefined
      ? "Failed"
      : phaseOf(pod, initContainerStatuses, containerStatuses, facts.terminated);
  const ips = podIpsOf(facts);
  const { generation } = pod.metadata;
  return {
    ...previous,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions: conditionsOf(facts, phase, initContainerStatuses, containerStatuses),
    ...(failure === undefined ? {} : failure),
    ...(hostIps[0] === undefined ? {} : { hostIP: hostIps[0], hostIPs: hostIps.map((ip) => ({ ip })) }),
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime: previous.startTime ?? formatTime(now),
    ...(initContainerStatuses.length === 0 ? {} : { initContainerStatuses }),
    containerStatuses,
    ...(ephemeralContainerStatuses.length === 0 ? {} : { ephemeralContainerStatuses }),
    qosClass: previous.qosClass ?? qosClassOf(pod),
  };

  /** An address stays until the pod has another: a sandbox that is down has none to tell. */
  function podIpsOf({ pod, runtime, hostIps }: StatusFacts): readonly string[] {
    if (pod.spec.hostNetwork === true) return runtime.sandboxes.length === 0 && previous.podIP === undefined ? [] : hostIps;
    const ips = currentSandbox(runtime)?.ips ?? [];
    return ips.length > 0 ? ips : (previous.podIPs ?? []).map(({ ip }) => ip);
  }
}

function containerStatus(container: Container, facts: StatusFacts, init: boolean): ContainerStatus {
  const { pod, runtime, waiting } = facts;
  const previous = previousStatus(pod, container.name);
  const [present, before] = history(runtime, container.name);
  const base: ContainerStatus =
    present === undefined ? withoutContainer(container, pod, previous) : fromRuntime(present, before, facts, previous, pod);
  const held = waiting.get(container.name);
  const ended = init && !isSidecar(container) && present?.state === "exited" && present.exitCode === 0;
  const restarts = isSidecar(container) || init ? pod.spec.restartPolicy !== "Never" || isSidecar(container) : mayRun(pod, present);
  const shown: ContainerStatus =
    held !== undefined && !ended && restarts && base.state?.running === undefined && !facts.terminated
      ? { ...base, ...(base.state?.terminated === undefined ? {} : { lastState: base.state }), state: { waiting: held } }
      : base;
  return { ...shown, ...readiness(container, shown, present, facts, init), ...(present === undefined ? {} : granted(container)) };
}

/** What the running container was given. */
function granted({ resources = {}, volumeMounts = [] }: Container): Partial<ContainerStatus> {
  const { requests, limits } = resources;
  return {
    ...(requests === undefined ? {} : { allocatedResources: requests }),
    resources: { ...(limits === undefined ? {} : { limits }), ...(requests === undefined ? {} : { requests }) },
    ...(volumeMounts.length === 0
      ? {}
      : {
          volumeMounts: volumeMounts.map(({ name, mountPath, readOnly }) => ({
            name,
            mountPath,
            ...(readOnly === true ? { readOnly, recursiveReadOnly: "Disabled" } : {}),
          })),
        }),
  };
}

function withoutContainer(container: Container, pod: Pod, previous: ContainerStatus | undefined): ContainerStatus {
  const initialising = (pod.spec.initContainers ?? []).length > 0;
  const fresh: ContainerStatus = {
    name: container.name,
    image: container.image ?? "",
    imageID: "",
    ready: false,
    restartCount: 0,
    state: { waiting: { reason: initialising ? "PodInitializing" : "ContainerCreating" } },
    lastState: {},
  };
  if (previous === undefined) return fresh;
  if (previous.state?.terminated !== undefined) return previous;
  const kept = { ...fresh, restartCount: previous.restartCount, lastState: previous.lastState ?? {} };
  if (previous.state?.running === undefined) return kept;
  // The runtime has lost it: nobody will learn how it ended.
  return {
    ...kept,
    lastState: {
      terminated: {
        exitCode: 137,
        reason: "ContainerStatusUnknown",
        message: "The container could not be located when the pod was deleted.  The container used to be Running",
        ...(previous.containerID === undefined ? {} : { containerID: previous.containerID }),
      },
    },
  };
}

function fromRuntime(
  present: RuntimeContainer,
  before: RuntimeContainer | undefined,
  facts: StatusFacts,
  previous: ContainerStatus | undefined,
  pod: Pod,
): ContainerStatus {
  const last = before === undefined ? sameContainer(present, previous, facts) : stateOf(before, facts, pod);
  return {
    name: present.name,
    state: stateOf(present, facts, pod),
    lastState: last,
    ready: false,
    restartCount: present.restartCount,
    image: present.image,
    imageID: present.imageId,
    containerID: containerId(present, facts),
  };
}

/** The predecessor was removed, but the status still tells of it. */
function sameContainer(present: RuntimeContainer, previous: ContainerStatus | undefined, facts: StatusFacts): ContainerState {
  if (previous === undefined) return {};
  if (previous.containerID === containerId(present, facts)) return previous.lastState ?? {};
  return previous.state?.terminated === undefined ? (previous.lastState ?? {}) : { terminated: previous.state.terminated };
}

function stateOf(container: RuntimeContainer, facts: StatusFacts, pod: Pod): ContainerState {
  switch (container.state) {
    case "running":
      return { running: { startedAt: formatTime(container.startedAt) } };
    case "exited": {
      const told = toldEnd(pod, container.name, containerId(container, facts));
      if (told !== undefined) return { terminated: told }; // what it left behind may be gone by now
      const message = facts.terminationMessages.get(container.id) ?? container.message;
      return {
        terminated: {
          exitCode: container.exitCode,
          reason: container.reason === "" ? (container.exitCode === 0 ? "Completed" : "Error") : container.reason,
          ...(message === "" ? {} : { message }),
          startedAt: container.startedAt > 0 ? formatTime(container.startedAt) : formatTime(container.createdAt),
          finishedAt: formatTime(container.finishedAt),
          containerID: containerId(container, facts),
        },
      };
    }
    case "created":
    case "unknown":
      return { waiting: { reason: (pod.spec.initContainers ?? []).length > 0 ? "PodInitializing" : "ContainerCreating" } };
  }
}

function toldEnd(pod: Pod, name: string, id: string): ContainerStateTerminated | undefined {
  const { state, lastState } = previousStatus(pod, name) ?? {};
  return [state?.terminated, lastState?.terminated].find((each) => each?.containerID === id);
}

const containerId = ({ id }: RuntimeContainer, { runtimeName }: StatusFacts) => `${runtimeName}://${id}`;

function readiness(
  container: Container,
  status: ContainerStatus,
  present: RuntimeContainer | undefined,
  { probes }: StatusFacts,
  init: boolean,
): { readonly ready: boolean; readonly started: boolean } {
  if (init && !isSidecar(container))
    return { ready: status.state?.terminated?.exitCode === 0, started: status.state?.running !== undefined };
  if (status.state?.running === undefined || present === undefined) return { ready: false, started: false };
  const said = probes.get(present.id);
  const started = container.startupProbe === undefined ? true : said?.startup === "success";
  const ready = started && (container.readinessProbe === undefined ? true : said?.readiness === "success");
  return { ready, started };
}

function previousStatus({ status }: Pod, name: string): ContainerStatus | undefined {
  return [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ].find((each) => each.name === name);
}

type Phase = "Pending" | "Running" | "Succeeded" | "Failed";

const isOver = (phase: string | undefined): phase is "Succeeded" | "Failed" => phase === "Succeeded" || phase === "Failed";

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase */
function phaseOf(pod: Pod, inits: readonly ContainerStatus[], mains: readonly ContainerStatus[], terminated: boolean): Phase {
  const policy = pod.spec.restartPolicy ?? "Always";
  let initialising = false;
  for (const [index, status] of inits.entries()) {
    const spec = pod.spec.initContainers?.[index];
    const sidecar = spec !== undefined && isSidecar(spec);
    const failed =
      (status.state?.terminated?.exitCode ?? (status.state?.waiting === undefined ? 0 : (status.lastState?.terminated?.exitCode ?? 0))) !==
      0;
    if (sidecar) {
      if (status.state?.running === undefined || status.started !== true) initialising ||= !terminated;
    } else if (failed) {
      if (policy === "Never" || terminated) return "Failed";
      initialising = true;
    } else if (status.state?.terminated === undefined) initialising = true;
  }
  let running = 0;
  let waiting = 0;
  let stopped = 0;
  let succeeded = 0;
  for (const { state, lastState } of mains) {
    if (state?.running !== undefined) running++;
    else if (state?.terminated !== undefined) {
      stopped++;
      if (state.terminated.exitCode === 0) succeeded++;
    } else if (lastState?.terminated !== undefined) stopped++;
    else waiting++;
  }
  const mainsHaveRun = running + stopped > 0;
  if (terminated) return stopped === succeeded && waiting === 0 && stopped > 0 ? "Succeeded" : "Failed";
  if (initialising && !mainsHaveRun) return "Pending";
  if (waiting > 0) return "Pending";
  if (running > 0) return "Running";
  if (policy === "Always") return "Running"; // all are about to be restarted
  if (stopped === succeeded) return "Succeeded";
  return policy === "Never" ? "Failed" : "Running";
}

function conditionsOf(
  facts: StatusFacts,
  phase: Phase,
  inits: readonly ContainerStatus[],
  mains: readonly ContainerStatus[],
): readonly PodCondition[] {
  const { pod, runtime, now } = facts;
  const containersReady = containersReadyCondition();
  const sandbox = currentSandbox(runtime);
  const sandboxUp = sandbox !== undefined && sandbox.ready && (pod.spec.hostNetwork === true || sandbox.ips.length > 0);
  const own: readonly PodCondition[] = [
    { type: "PodReadyToStartContainers", status: sandboxUp ? "True" : "False" },
    initializedCondition(),
    { ...readyCondition(), type: "Ready" },
    { ...containersReady, type: "ContainersReady" },
    { type: "PodScheduled", status: "True" },
  ];
  const known = pod.status?.conditions ?? [];
  const generation = pod.metadata.generation;
  const dated = own.map((condition): PodCondition => {
    const before = known.find((each) => each.type === condition.type);
    const lastTransitionTime = before?.status === condition.status ? before.lastTransitionTime : undefined;
    return {
      ...condition,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      lastTransitionTime: lastTransitionTime ?? formatTime(now),
    };
  });
  return [...dated, ...known.filter((condition) => !own.some((each) => each.type === condition.type))];

  function containersReadyCondition(): PodCondition {
    const type = "ContainersReady";
    if (phase === "Succeeded") return { type, status: "False", reason: "PodCompleted" };
    if (phase === "Failed") return { type, status: "False", reason: "PodFailed" };
    const serving = [
      ...inits.filter((_, index) => {
        const spec = pod.spec.initContainers?.[index];
        return spec !== undefined && isSidecar(spec);
      }),
      ...mains,
    ];
    const unready = serving.filter((status) => !status.ready).map((status) => status.name);
    if (unready.length === 0) return { type, status: "True" };
    return { type, status: "False", reason: "ContainersNotReady", message: `containers with unready status: [${unready.join(" ")}]` };
  }

  function readyCondition(): PodCondition {
    if (containersReady.status !== "True") return containersReady;
    const conditions = pod.status?.conditions ?? [];
    const unmet = (pod.spec.readinessGates ?? []).flatMap(({ conditionType }) => {
      const gate = conditions.find((each) => each.type === conditionType);
      if (gate === undefined) return [`corresponding condition of pod readiness gate "${conditionType}" does not exist.`];
      return gate.status === "True" ? [] : [`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`];
    });
    if (unmet.length === 0) return { type: "Ready", status: "True" };
    return { type: "Ready", status: "False", reason: "ReadinessGatesNotReady", message: unmet.join(", ") };
  }

  function initializedCondition(): PodCondition {
    const type = "Initialized";
    if (phase === "Succeeded") return { type, status: "True", reason: "PodCompleted" };
    const started = mains.some((status) => status.state?.running !== undefined || status.state?.terminated !== undefined);
    if (started) return { type, status: "True" };
    const incomplete = inits.filter((status, index) => {
      const spec = pod.spec.initContainers?.[index];
      return spec !== undefined && isSidecar(spec) ? status.started !== true : !status.ready;
    });
    if (incomplete.length === 0) return { type, status: "True" };
    const names = incomplete.map((status) => status.name).join(" ");
    return { type, status: "False", reason: "ContainersNotInitialized", message: `containers with incomplete status: [${names}]` };
  }
}
