import type { Instant } from "#base/clock.ts";
import type { Container, Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { allContainers, type ContainerType, containerHash, formatGoDuration, formatPod, isSidecar } from "./names.ts";
import { currentSandbox, latest, type PodRuntime, type RuntimeContainer } from "./pod-runtime.ts";
import { nextBackOff, type RestartBackOff, restartAllowedAt } from "./restart-back-off.ts";

/** What the probes of one container say. "none": there is no such probe. */
export interface ContainerProbes {
  readonly startup: "none" | "pending" | "success" | "failure";
  readonly liveness: "none" | "success" | "failure";
  readonly readiness: "none" | "success" | "failure";
}

/** Why a container does not run, as its status shows it. */
export interface Waiting {
  readonly reason: string;
  readonly message: string;
}

export interface PodObserved {
  readonly pod: Stored<Pod>;
  readonly runtime: PodRuntime;
  /** By container id. */
  readonly probes: ReadonlyMap<string, ContainerProbes>;
  /** By container name. */
  readonly backOff: ReadonlyMap<string, RestartBackOff>;
  readonly now: Instant;
}

export type PodAction =
  /** Ends containers and sandboxes that are left, then makes a new sandbox. */
  | { readonly do: "replaceSandbox"; readonly attempt: number; readonly changed: boolean }
  | {
      readonly do: "start";
      readonly container: Container;
      readonly type: ContainerType;
      readonly restartCount: number;
      /** Kept for the next restart. */
      readonly backOff: RestartBackOff | undefined;
    }
  | { readonly do: "kill"; readonly target: RuntimeContainer; readonly message: string; readonly because: "probe" | "changed" | "unknown" }
  | { readonly do: "removeContainer"; readonly id: string; readonly logPath: string }
  | { readonly do: "removeSandbox"; readonly id: string };

export type PodPlan =
  | {
      readonly state: "running";
      readonly actions: readonly PodAction[];
      /** By container name: those held back from a restart. */
      readonly waiting: ReadonlyMap<string, Waiting>;
      readonly recheckAt: Instant | undefined;
    }
  /** Nothing of the pod is to run any more. `failure` is set where the node, not a container, decided so. */
  | { readonly state: "finished"; readonly failure: { readonly reason: string; readonly message: string } | undefined };

/** What to do next for a pod that is to run. Terminating pods are not planned: everything of them ends. */
export function planPod(observed: PodObserved): PodPlan {
  const { pod, now } = observed;
  if (isTerminal(pod)) return finished();
  const deadline = activeDeadline(pod);
  if (deadline !== undefined && deadline <= now) {
    return finished({ reason: "DeadlineExceeded", message: "Pod was active on the node longer than the specified deadline" });
  }
  const plan = planContainers(observed);
  if (plan.state === "finished" || deadline === undefined) return plan;
  return { ...plan, recheckAt: plan.recheckAt === undefined ? deadline : Math.min(plan.recheckAt, deadline) };
}

export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
}

function activeDeadline({ spec, status }: Pod): Instant | undefined {
  if (spec.activeDeadlineSeconds === undefined || status?.startTime === undefined) return undefined;
  return Date.parse(status.startTime) + spec.activeDeadlineSeconds * 1000;
}

function planContainers({ pod, runtime, probes, backOff, now }: PodObserved): PodPlan {
  const policy = pod.spec.restartPolicy ?? "Always";
  const sandbox = currentSandbox(runtime);
  const usable = sandbox !== undefined && sandbox.ready && (pod.spec.hostNetwork === true || sandbox.ips.length > 0);

  if (!usable) {
    if (sandbox !== undefined && policy === "Never" && runtime.containers.length > 0) return finished();
    const left = pod.spec.containers.some((container) => mayRun(pod, latest(runtime, container.name)));
    if (!left) return finished();
    const attempt = sandbox === undefined ? 0 : sandbox.attempt + 1;
    return running([{ do: "replaceSandbox", attempt, changed: sandbox !== undefined }]);
  }

  const actions: PodAction[] = [];
  const waiting = new Map<string, Waiting>();
  let recheckAt: Instant | undefined;
  let alive = 0;
  const current = (name: string) => runtime.containers.find((each) => each.name === name && each.sandboxId === sandbox.id);

  const initialised = planInit();
  if (initialised === "failed") return finished();
  if (initialised === "done") {
    for (const container of pod.spec.containers) planMain(container);
    if (alive === 0) return finished();
  }
  for (const container of pod.spec.ephemeralContainers ?? []) {
    if (current(container.name) === undefined) start(container, "ephemeral", undefined);
  }
  actions.push(...planRemovals(pod, runtime, sandbox.id));
  return { state: "running", actions, waiting, recheckAt };

  /** "blocked": main containers must wait. Init containers run one after the other; sidecars stay. */
  function planInit(): "done" | "blocked" | "failed" {
    const mainsExist = pod.spec.containers.some((container) => current(container.name) !== undefined);
    for (const init of pod.spec.initContainers ?? []) {
      const present = current(init.name);
      if (isSidecar(init)) {
        if (present?.state === "running") {
          if (endIfBad(init, present)) continue;
          const { startup } = probes.get(present.id) ?? { startup: init.startupProbe === undefined ? "none" : "pending" };
          if (!mainsExist && startup !== "none" && startup !== "success") return "blocked";
          continue;
        }
        startAgain(init, "sidecar", present);
        if (!mainsExist) return "blocked";
      } else if (!mainsExist) {
        if (present?.state === "running") return "blocked";
        if (present?.state === "exited") {
          if (present.exitCode === 0) continue;
          if (policy === "Never") return "failed";
        }
        startAgain(init, "init", present);
        return "blocked";
      }
    }
    return "done";
  }

  function planMain(container: Container) {
    const present = current(container.name);
    if (present?.state === "running") {
      alive++;
      endIfBad(container, present);
      return;
    }
    const last = latest(runtime, container.name);
    if (!mayRun(pod, last)) return;
    alive++;
    startAgain(container, "main", last);
  }

  /** Plans the end of a running container whose spec changed or whose probes failed; its restart follows when it has ended. */
  function endIfBad(container: Container, present: RuntimeContainer): boolean {
    const restarts = isSidecar(container) || policy !== "Never";
    const said = probes.get(present.id);
    const kill = (text: string, because: "probe" | "changed", suffix = restarts) =>
      actions.push({
        do: "kill",
        target: present,
        message: `Container ${container.name} ${text}${suffix ? ", will be restarted" : ""}`,
        because,
      });
    if (present.hash !== "" && present.hash !== containerHash(container)) return kill("definition changed", "changed", true) > 0;
    if (said?.startup === "failure") return kill("failed startup probe", "probe") > 0;
    if (said?.liveness === "failure") return kill("failed liveness probe", "probe") > 0;
    return false;
  }

  function startAgain(container: Container, type: ContainerType, last: RuntimeContainer | undefined) {
    if (last?.state === "unknown") {
      actions.push({
        do: "kill",
        target: last,
        message: `Container is in unknown state, try killing it before restart`,
        because: "unknown",
      });
    }
    if (last?.state !== "exited") {
      start(container, type, last);
      return;
    }
    const entry = backOff.get(container.name);
    const allowedAt = restartAllowedAt(entry, last.finishedAt);
    if (entry !== undefined && now < allowedAt) {
      waiting.set(container.name, {
        reason: "CrashLoopBackOff",
        message: `back-off ${formatGoDuration(entry.delayMs)} restarting failed container=${container.name} pod=${formatPod(pod)}`,
      });
      recheckAt = recheckAt === undefined ? allowedAt : Math.min(recheckAt, allowedAt);
      return;
    }
    start(container, type, last, nextBackOff(entry, last.finishedAt, now));
  }

  function start(container: Container, type: ContainerType, last: RuntimeContainer | undefined, next?: RestartBackOff) {
    actions.push({ do: "start", container, type, restartCount: nextRestartCount(pod, container.name, last), backOff: next });
  }
}

/** Of a main container: whether it is to run (again). */
export function mayRun(pod: Pod, last: RuntimeContainer | undefined): boolean {
  if (last?.state !== "exited") return true;
  const policy = pod.spec.restartPolicy ?? "Always";
  return policy === "Always" || (policy === "OnFailure" && last.exitCode !== 0);
}

function nextRestartCount(pod: Pod, name: string, last: RuntimeContainer | undefined): number {
  if (last !== undefined) return last.restartCount + 1;
  const { status } = pod;
  const known = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find((each) => each.name === name);
  return known?.containerID === undefined ? 0 : known.restartCount + 1; // the runtime has lost it, a reboot say
}

/** One dead container per name is kept for `logs --previous`; sandboxes are kept while they hold containers. */
function planRemovals(pod: Pod, runtime: PodRuntime, currentSandboxId: string): readonly PodAction[] {
  const actions: PodAction[] = [];
  const kept = new Set<string>();
  const known = new Set(allContainers(pod).map(({ container }) => container.name));
  const seen = new Set<string>();
  for (const container of runtime.containers) {
    const dead = container.state === "exited" || (container.state === "created" && seen.has(container.name));
    if (dead && (kept.has(container.name) || !known.has(container.name))) {
      actions.push({ do: "removeContainer", id: container.id, logPath: container.logPath });
    } else if (dead) kept.add(container.name);
    seen.add(container.name);
  }
  const removed = new Set(actions.map((action) => (action.do === "removeContainer" ? action.id : "")));
  for (const sandbox of runtime.sandboxes) {
    const used = runtime.containers.some((container) => container.sandboxId === sandbox.id && !removed.has(container.id));
    if (sandbox.id !== currentSandboxId && !sandbox.ready && !used) actions.push({ do: "removeSandbox", id: sandbox.id });
  }
  return actions;
}

/**
 * The order in which the containers of a pod end: all but sidecars at once, then sidecars, last started first. Each stage waits
 * for the one before.
 */
export function terminationStages(pod: Pod | undefined, runtime: PodRuntime): readonly (readonly RuntimeContainer[])[] {
  const live = runtime.containers.filter((container) => container.state === "running" || container.state === "unknown");
  const sidecars = (pod?.spec.initContainers ?? []).filter(isSidecar).map((container) => container.name);
  const stages = [
    live.filter((container) => !sidecars.includes(container.name)),
    ...sidecars.toReversed().map((name) => live.filter((container) => container.name === name)),
  ];
  return stages.filter((stage) => stage.length > 0);
}

function running(actions: readonly PodAction[]): PodPlan {
  return { state: "running", actions, waiting: new Map(), recheckAt: undefined };
}

function finished(failure?: { readonly reason: string; readonly message: string }): PodPlan {
  return { state: "finished", failure };
}
