import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Container, Pod, Probe } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { linkSignals } from "../linked-signal.ts";
import { allContainers, formatPod } from "../names.ts";
import type { ContainerProbes } from "../plan.ts";
import type { RecordPodEvent } from "../pod-events.ts";
import { latest, type PodRuntime, readySandbox, type RuntimeContainer } from "../pod-runtime.ts";
import { type HandlerDeps, runHandler } from "./handler.ts";
import { afterAnswer, initialState, PROBE_DEFAULTS, type ProbeState, type ProbeType } from "./thresholds.ts";

export interface ProbeWorkersDeps extends HandlerDeps {
  readonly clock: Clock;
  readonly record: RecordPodEvent;
  readonly log: Log;
  /** Runs work until its signal aborts. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  /** A result of this pod has changed. */
  readonly onChange: (uid: string) => void;
}

/**
 * Probes running containers: one worker per container and probe, from the container's start to its end.
 *
 * P1. Liveness and readiness wait until the startup probe has succeeded.
 * P2. After a failed startup or liveness probe the worker rests: the container is about to be replaced.
 * P3. A pod that terminates is probed for readiness only.
 * P4. A container that was never ready is asked again after 250 ms, 500 ms and so on up to the period: one that needs a moment to
 *     listen need not wait for the next period. (Upstream asks again whenever it looks at the pod.)
 */
export interface ProbeWorkers {
  /** Starts and ends workers so that they fit the pod. Addresses and specs of later calls count from then on. */
  update(pod: Stored<Pod>, runtime: PodRuntime): void;
  /** By container id; containers without probes are absent. */
  results(uid: string): ReadonlyMap<string, ContainerProbes>;
  stop(uid: string): void;
}

interface Worker {
  readonly abort: AbortController;
  readonly type: ProbeType;
  readonly containerId: string;
  state: ProbeState;
  /** Aborted to end the wait before the next probe. */
  hurry: AbortController;
}

const EARLY_PROBE_MS = 250;
const EARLY_PROBES = 6;

const TYPES: readonly ProbeType[] = ["startup", "liveness", "readiness"];

export function createProbeWorkers(deps: ProbeWorkersDeps): ProbeWorkers {
  const { clock, record, log, spawn, onChange } = deps;
  const byPod = new Map<string, { pod: Stored<Pod>; runtime: PodRuntime; readonly workers: Map<string, Worker> }>();

  return {
    update(pod, runtime) {
      const { uid } = pod.metadata;
      let entry = byPod.get(uid);
      if (entry === undefined) byPod.set(uid, (entry = { pod, runtime, workers: new Map() }));
      entry.pod = pod;
      entry.runtime = runtime;
      const wanted = new Set<string>();
      for (const { container } of allContainers(pod)) {
        const running = latest(runtime, container.name);
        if (running?.state !== "running") continue;
        for (const type of TYPES) {
          const probe = probeOf(container, type);
          if (probe === undefined || (pod.metadata.deletionTimestamp !== undefined && type !== "readiness")) continue; // P3
          const key = `${running.id}/${type}`;
          wanted.add(key);
          if (!entry.workers.has(key)) start(pod, container.name, running, type, entry.workers, key);
        }
      }
      for (const [key, worker] of entry.workers) {
        if (wanted.has(key)) continue;
        worker.abort.abort();
        entry.workers.delete(key);
      }
    },
    results(uid) {
      const entry = byPod.get(uid);
      const results = new Map<string, ContainerProbes>();
      for (const { containerId, type, state } of entry?.workers.values() ?? []) {
        const before = results.get(containerId) ?? { startup: "none", liveness: "none", readiness: "none" };
        const said = state.result === "unknown" ? "pending" : state.result;
        results.set(containerId, { ...before, [type]: said });
      }
      return results;
    },
    stop(uid) {
      for (const worker of byPod.get(uid)?.workers.values() ?? []) worker.abort.abort();
      byPod.delete(uid);
    },
  };

  function start(pod: Stored<Pod>, name: string, running: RuntimeContainer, type: ProbeType, workers: Map<string, Worker>, key: string) {
    const worker: Worker = {
      abort: new AbortController(),
      type,
      containerId: running.id,
      state: adoptedState(pod, name, running.id, type),
      hurry: new AbortController(),
    };
    const { uid } = pod.metadata;
    workers.set(key, worker);
    spawn(`${type} probe of ${name}`, async (outer) => {
      using link = linkSignals(outer, worker.abort.signal);
      await run(uid, name, running, worker, link.signal);
    });
  }

  async function run(uid: string, name: string, running: RuntimeContainer, worker: Worker, signal: AbortSignal) {
    const first = specOf(uid, name, worker.type);
    if (first === undefined) return;
    const delayMs = (first.initialDelaySeconds ?? 0) * 1000;
    await clock.sleep(Math.max(0, running.startedAt + delayMs - clock.now()), signal);
    let early = worker.state.result === "success" ? EARLY_PROBES : 0;
    while (!signal.aborted) {
      const entry = byPod.get(uid);
      const container = containerOf(uid, name);
      const probe = specOf(uid, name, worker.type);
      if (entry === undefined || container === undefined || probe === undefined) return;
      const due = isDue(entry.workers, worker);
      if (due) await probeOnce(uid, entry.pod, entry.runtime, container, probe, worker, signal);
      if (worker.state.lastOutcome === "success") early = EARLY_PROBES;
      const periodMs = (probe.periodSeconds ?? PROBE_DEFAULTS.periodSeconds) * 1000;
      const hastens = worker.type === "readiness" && due && early < EARLY_PROBES; // P4
      using until = linkSignals(signal, worker.hurry.signal);
      await clock.sleep(hastens ? Math.min(periodMs, EARLY_PROBE_MS * 2 ** early++) : periodMs, until.signal);
      if (worker.hurry.signal.aborted) worker.hurry = new AbortController();
    }
  }

  function isDue(workers: ReadonlyMap<string, Worker>, worker: Worker): boolean {
    if (worker.type === "startup") return worker.state.result === "unknown";
    const startup = workers.get(`${worker.containerId}/startup`);
    if (startup !== undefined && startup.state.result !== "success") return false; // P1
    return worker.type === "readiness" || worker.state.result !== "failure"; // P2
  }

  async function probeOnce(
    uid: string,
    pod: Stored<Pod>,
    runtime: PodRuntime,
    container: Container,
    probe: Probe,
    worker: Worker,
    signal: AbortSignal,
  ) {
    const podIp = readySandbox(runtime)?.ips[0] ?? pod.status?.hostIP ?? "";
    const timeoutSeconds = probe.timeoutSeconds ?? PROBE_DEFAULTS.timeoutSeconds;
    let answer;
    try {
      answer = await runHandler(deps, probe, { container, containerId: worker.containerId, podIp, timeoutSeconds }, signal);
    } catch (cause) {
      if (signal.aborted) return;
      log.error("Probe failed to run", { pod: formatPod(pod), container: container.name, cause });
      return; // a probe that cannot be run tells nothing; it must not end the node's agent
    }
    if (signal.aborted) return;
    report(pod, container, worker.type, answer.outcome, answer.output);
    const next = afterAnswer(worker.state, probe, answer);
    const changed = next.result !== worker.state.result;
    worker.state = next;
    if (!changed) return;
    if (worker.type === "startup" && next.result === "success") {
      for (const other of byPod.get(uid)?.workers.values() ?? []) if (other.containerId === worker.containerId) other.hurry.abort();
    }
    onChange(uid);
  }

  function report(pod: Stored<Pod>, container: Container, type: ProbeType, outcome: string, output: string) {
    const label = `${type.charAt(0).toUpperCase()}${type.slice(1)}`;
    if (outcome === "failure") record(pod, container, "Warning", "Unhealthy", `${label} probe failed: ${output}`);
    else if (outcome === "error") record(pod, container, "Warning", "Unhealthy", `${label} probe errored: ${output}`);
    else if (outcome === "warning") record(pod, container, "Warning", "ProbeWarning", `${label} probe warning: ${output}`);
  }

  function containerOf(uid: string, name: string): Container | undefined {
    const pod = byPod.get(uid)?.pod;
    return pod === undefined ? undefined : allContainers(pod).find(({ container }) => container.name === name)?.container;
  }

  function specOf(uid: string, name: string, type: ProbeType): Probe | undefined {
    const container = containerOf(uid, name);
    return container === undefined ? undefined : probeOf(container, type);
  }
}

/** A container that an earlier run of the kubelet found ready or started stays so until a probe says otherwise. */
function adoptedState({ status }: Stored<Pod>, name: string, containerId: string, type: ProbeType): ProbeState {
  const known = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find((each) => each.name === name);
  const same = known?.containerID?.endsWith(`//${containerId}`) === true;
  const fine = same && (type === "readiness" ? known.ready : type === "startup" ? known.started === true : false);
  return fine ? { ...initialState(type), result: "success" } : initialState(type);
}

function probeOf(container: Container, type: ProbeType): Probe | undefined {
  return type === "startup" ? container.startupProbe : type === "liveness" ? container.livenessProbe : container.readinessProbe;
}
