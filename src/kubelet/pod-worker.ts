import { backoffDelayMs } from "#base/backoff.ts";
import type { Instant } from "#base/clock.ts";
import type { Client } from "#client/contract.ts";
import { CriError } from "#cri/error.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Pod, PodStatus } from "#machinery/api/core-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";
import { allContainers, formatPod, podDirectory, podLogDirectory } from "./names.ts";
import { linkSignals } from "./linked-signal.ts";
import { gracePeriodOf, killContainer, type StartAnswer, startContainer } from "./perform-container.ts";
import { runSandbox } from "./perform-sandbox.ts";
import { planPod, type PodAction, type PodPlan, terminationStages, type Waiting } from "./plan.ts";
import { downwardFacts, type NodeContext } from "./pod-context.ts";
import { latest, noRuntime, type PodRuntime, readySandbox } from "./pod-runtime.ts";
import type { ProbeWorkers } from "./probes/probe-workers.ts";
import { linuxResources, podCgroup, podCgroups, podLimits } from "./resources.ts";
import type { RestartBackOff } from "./restart-back-off.ts";
import type { RuntimeLister } from "./runtime-lister.ts";
import { computePodStatus } from "./status.ts";
import type { StatusWriter } from "./status-writer.ts";
import { readTerminationMessage } from "./termination-message.ts";
import { isLive, mountVolumes } from "./volumes/pod-volumes.ts";

export interface PodWorkerDeps {
  readonly client: Client;
  readonly context: NodeContext;
  readonly lister: RuntimeLister;
  readonly probes: ProbeWorkers;
  readonly status: StatusWriter;
}

/**
 * Drives one pod, one step at a time, from its appearance to the removal of its last trace.
 *
 * P1. Nothing of two steps of one pod overlaps, except that a shorter grace period interrupts a longer wait.
 * P2. The API object is deleted only after all containers have ended, the final status was written, and volumes and cgroups
 *     are gone.
 * P3. Sandboxes, dead containers and logs stay until the API object is gone.
 */
export interface PodWorker {
  /** The newest object; `gone` when the API server has none of this uid any more. */
  update(pod: Stored<Pod>, presence: "present" | "gone"): void;
  /** Something outside may have changed: look again. */
  wake(): void;
  /** The pod with the status computed last. */
  view(): Stored<Pod> | undefined;
  /** Resolves when nothing is left of the pod, or `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

const VOLUME_RETRY = { baseMs: 500, maxMs: 122_000 };
const SYNC_RETRY = { baseMs: 1_000, maxMs: 10_000 };
/** How often volumes that carry API objects are brought up to date. */
const REFRESH_MS = 60_000;
const CONFIG_RETRY_MS = 10_000;
/** How often a held-back restart is told again. */
const BACK_OFF_EVENT_MS = 10_000;
/** For pods of which only the runtime knows. */
const ORPHAN_GRACE_SECONDS = 2;

export function createPodWorker({ client, context, lister, probes, status }: PodWorkerDeps, uid: string): PodWorker {
  const { cri, clock, host, log, record, options } = context;
  let pod: Stored<Pod> | undefined;
  let gone = false;
  let dirty = true;
  let wakeUp = new AbortController();
  /** Aborts what the present step waits for when the pod is to end, or to end sooner. */
  let interrupt = new AbortController();

  const backOff = new Map<string, RestartBackOff>();
  const held = new Map<string, Waiting & { readonly retryAt: Instant }>();
  const messages = new Map<string, string>();
  const backOffTold = new Map<string, Instant>();
  /** What each container may use, by id. */
  const granted = new Map<string, string>();
  /** Ids of containers whose end has begun. */
  const ending = new Set<string>();
  let paths: ReadonlyMap<string, string> | undefined;
  let volumesAttempt = 0;
  let volumesAt: Instant = 0;
  let sandboxAttempt = 0;
  let sandboxAt: Instant = 0;
  let refreshAt: Instant = 0;
  let lastStatus: PodStatus | undefined;
  let ended: { readonly failure: { readonly reason: string; readonly message: string } | undefined } | undefined;
  let stage: "running" | "stopped" | "released" | "deleted" = "running";

  return {
    update(next, presence) {
      const endsSooner =
        (presence === "gone" && !gone) ||
        (next.metadata.deletionTimestamp !== undefined &&
          (pod?.metadata.deletionTimestamp === undefined || gracePeriodOf(next) < gracePeriodOf(pod)));
      if (pod !== undefined && pod.metadata.resourceVersion !== next.metadata.resourceVersion && describesItself(pod, next)) refreshAt = 0;
      pod = next;
      gone ||= presence === "gone";
      if (endsSooner) interrupt.abort();
      wake();
    },
    wake,
    view: () => (pod === undefined ? undefined : withStatus(pod)),
    async run(signal) {
      let failures = 0;
      let recheckAt: Instant | undefined;
      while (!signal.aborted) {
        if (!dirty) {
          const wait = recheckAt === undefined ? REFRESH_MS : Math.max(0, recheckAt - clock.now());
          using until = linkSignals(signal, wakeUp.signal);
          await clock.sleep(wait, until.signal);
          if (signal.aborted) return;
        }
        dirty = false;
        wakeUp = new AbortController();
        interrupt = new AbortController();
        try {
          const next = await sync(signal);
          if (next === "done") return;
          recheckAt = next;
          failures = 0;
        } catch (cause) {
          if (signal.aborted) return;
          if (interrupt.signal.aborted) continue; // P1: the step was cut short on purpose
          log.warn("Pod sync failed", { pod: pod === undefined ? uid : formatPod(pod), cause });
          recheckAt = clock.now() + backoffDelayMs(SYNC_RETRY, failures++);
        }
      }
    },
  };

  function wake() {
    dirty = true;
    wakeUp.abort();
  }

  /** One round; resolves with the time of the next one at the latest. */
  async function sync(outer: AbortSignal): Promise<Instant | undefined | "done"> {
    using link = linkSignals(outer, interrupt.signal);
    const { signal } = link;
    if (gone || pod === undefined || pod.metadata.deletionTimestamp !== undefined) return terminate(outer, signal);
    if (ended !== undefined) return finish(outer, signal);
    for (;;) {
      const runtime = await observe(signal);
      const current = withStatus(pod);
      const plan = planPod({ pod: current, runtime, probes: probes.results(uid), backOff, now: clock.now() });
      if (plan.state === "finished") {
        ended = { failure: plan.failure };
        return finish(outer, signal);
      }
      for (const name of plan.waiting.keys()) held.delete(name);
      publish(plan.waiting, false);
      tellBackOff(plan);
      probes.update(pod, runtime);
      const actions = plan.actions.filter((action) => !isHeldBack(action));
      await resize(runtime, signal);
      if (actions.length === 0) return earliest(plan.recheckAt, ...nextTries(plan), await refresh(runtime, signal));
      for (const action of actions) await perform(action, outer, signal);
      await lister.relistPod(uid, signal);
    }
  }

  /** Gives running containers what the spec grants them now. Those taken over are believed to have what it said then. */
  async function resize(runtime: PodRuntime, signal: AbortSignal) {
    if (pod === undefined) return;
    for (const { container } of allContainers(pod)) {
      const target = latest(runtime, container.name);
      if (target?.state !== "running") continue;
      const { oomScoreAdj: _fixed, ...linux } = linuxResources(pod, container, context.facts.memoryBytes);
      const wanted = JSON.stringify(linux);
      const before = granted.get(target.id);
      granted.set(target.id, wanted);
      if (before === undefined || before === wanted) continue;
      await host.cgroups.apply(podCgroup(options.cgroupRoot, pod), podLimits(pod));
      await cri.updateContainerResources({ containerId: target.id, linux }, { signal });
      const { name, resources = {} } = container;
      const told = JSON.stringify({ containers: [{ name, resources }], generation: pod.metadata.generation });
      record(pod, undefined, "Normal", "ResizeCompleted", `Pod resize completed: ${told}`);
    }
  }

  function isHeldBack(action: PodAction): boolean {
    const now = clock.now();
    if (action.do === "start") return now < (held.get(action.container.name)?.retryAt ?? 0) || now < volumesAt;
    return action.do === "replaceSandbox" && (now < sandboxAt || now < volumesAt);
  }

  function nextTries(plan: Extract<PodPlan, { state: "running" }>): readonly Instant[] {
    return plan.actions.flatMap((action) =>
      action.do === "start"
        ? [Math.max(held.get(action.container.name)?.retryAt ?? 0, volumesAt)]
        : action.do === "replaceSandbox"
          ? [Math.max(sandboxAt, volumesAt)]
          : [],
    );
  }

  /** `signal` may cut waiting short; what the runtime has begun to make is waited for, as a half-made thing is nobody's. */
  async function perform(action: PodAction, outer: AbortSignal, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (pod === undefined) return;
    const runtime = lister.get(uid) ?? noRuntime(uid, "", "");
    switch (action.do) {
      case "replaceSandbox": {
        if (!(await mount(runtime, signal))) return;
        if (action.changed) {
          record(pod, undefined, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
          await stopAll(runtime, gracePeriodOf(pod), signal);
        }
        const complaint = await runSandbox(context, pod, action.attempt, outer);
        sandboxAt = complaint === undefined ? 0 : clock.now() + backoffDelayMs(SYNC_RETRY, sandboxAttempt++);
        if (complaint === undefined) sandboxAttempt = 0;
        return;
      }
      case "start": {
        const { name } = action.container;
        if (!(await mount(runtime, signal))) return;
        const answer = await startOrComplain(pod, runtime, action, outer, signal);
        if (
          action.backOff !== undefined &&
          (answer.ok || answer.reason === "RunContainerError" || answer.reason === "PostStartHookError")
        ) {
          backOff.set(name, action.backOff);
        }
        if (answer.ok) held.delete(name);
        else held.set(name, answer);
        return;
      }
      case "kill": {
        const liveness = allContainers(pod).find(({ container }) => container.name === action.target.name)?.container;
        const probe = liveness?.livenessProbe?.terminationGracePeriodSeconds ?? liveness?.startupProbe?.terminationGracePeriodSeconds;
        const graceSeconds = action.because === "probe" && probe !== undefined ? probe : gracePeriodOf(pod);
        const { message, target } = action;
        await killContainer(context, pod, target, { message, graceSeconds, podIp: podIpOf(runtime) }, signal);
        return;
      }
      case "removeContainer":
        await cri.removeContainer(action.id, { signal });
        await removeLogs(action.logPath, signal);
        return;
      case "removeSandbox":
        await cri.stopPodSandbox(action.id, { signal });
        await cri.removePodSandbox(action.id, { signal });
        return;
    }
  }

  /** The log and what was rotated away from it. */
  async function removeLogs(path: string, signal: AbortSignal) {
    const slash = path.lastIndexOf("/");
    if (slash < 0) return;
    const [directory, name] = [path.slice(0, slash), path.slice(slash + 1)];
    const rotated = (await host.list(directory)).filter((each) => each.startsWith(`${name}.`));
    for (const each of [name, ...rotated]) await host.removeTree(`${directory}/${each}`, signal);
  }

  async function startOrComplain(
    of: Stored<Pod>,
    runtime: PodRuntime,
    action: Extract<PodAction, { do: "start" }>,
    outer: AbortSignal,
    signal: AbortSignal,
  ): Promise<StartAnswer> {
    try {
      return await startContainer(context, of, runtime, { action, paths: paths ?? new Map(), outer }, signal);
    } catch (cause) {
      if (signal.aborted || cause instanceof CriError) throw cause;
      const message = cause instanceof Error ? cause.message : String(cause);
      record(of, action.container, "Warning", "Failed", `Error: ${message}`);
      return { ok: false, reason: "CreateContainerConfigError", message, retryAt: clock.now() + CONFIG_RETRY_MS };
    }
  }

  /** Volumes come before sandbox and containers. false: not yet, and told. */
  async function mount(runtime: PodRuntime, signal: AbortSignal): Promise<boolean> {
    if (paths !== undefined) return true;
    if (pod === undefined || clock.now() < volumesAt) return false;
    const facts = downwardFacts(context, pod, runtime);
    const answer = await mountOrComplain(pod, facts, signal);
    if (answer.ok) {
      paths = answer.paths;
      volumesAttempt = 0;
      refreshAt = clock.now() + REFRESH_MS;
      return true;
    }
    record(pod, undefined, "Warning", "FailedMount", answer.message);
    volumesAt = clock.now() + backoffDelayMs(VOLUME_RETRY, volumesAttempt++);
    return false;
  }

  async function mountOrComplain(of: Stored<Pod>, facts: ReturnType<typeof downwardFacts>, signal: AbortSignal) {
    try {
      return await mountVolumes(
        { reader: context.reader, host: host.volumes },
        { pod: of, rootDirectory: options.rootDirectory, facts, signal },
      );
    } catch (cause) {
      if (signal.aborted) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      return { ok: false as const, message: `MountVolume.SetUp failed: ${why}` };
    }
  }

  /** Brings volumes that carry API objects up to date when their time has come; resolves with the next time. */
  async function refresh(runtime: PodRuntime, signal: AbortSignal): Promise<Instant | undefined> {
    if (pod === undefined || paths === undefined || !(pod.spec.volumes ?? []).some(isLive)) return undefined;
    if (clock.now() < refreshAt) return refreshAt;
    refreshAt = clock.now() + REFRESH_MS;
    const answer = await mountOrComplain(pod, downwardFacts(context, pod, runtime), signal);
    if (!answer.ok) record(pod, undefined, "Warning", "FailedMount", answer.message);
    return refreshAt;
  }

  /** The runtime's state, with what ended containers have left behind. */
  async function observe(signal: AbortSignal): Promise<PodRuntime> {
    const runtime = lister.get(uid) ?? noRuntime(uid, pod?.metadata.name ?? "", pod?.metadata.namespace ?? "");
    if (pod === undefined) return runtime;
    for (const container of runtime.containers) {
      if (container.state !== "exited" || messages.has(container.id)) continue;
      const spec = allContainers(pod).find((each) => each.container.name === container.name)?.container;
      const { rootDirectory } = options;
      messages.set(container.id, await readTerminationMessage(host, { pod, container: spec, ended: container, rootDirectory, signal }));
    }
    return runtime;
  }

  /** Our own fields as we know them; those of others, and the rest, as the API server has them. */
  function withStatus(from: Stored<Pod>): Stored<Pod> {
    if (lastStatus === undefined) return from;
    const own = lastStatus.conditions ?? [];
    const foreign = (from.status?.conditions ?? []).filter((condition) => !OWN_CONDITIONS.has(condition.type));
    return {
      ...from,
      status: { ...from.status, ...lastStatus, conditions: [...own.filter((each) => OWN_CONDITIONS.has(each.type)), ...foreign] },
    };
  }

  function publish(waiting: ReadonlyMap<string, Waiting>, terminated: boolean) {
    if (pod === undefined) return;
    const next = computePodStatus({
      pod: withStatus(pod),
      runtime: lister.get(uid) ?? noRuntime(uid, "", ""),
      probes: probes.results(uid),
      waiting: new Map([...Array.from(held, ([name, { reason, message }]) => [name, { reason, message }] as const), ...waiting]),
      terminationMessages: messages,
      terminated,
      failure: ended?.failure,
      hostIps: options.nodeAddresses,
      runtimeName: context.runtimeName,
      now: clock.now(),
    });
    lastStatus = next;
    if (!gone) status.set(pod, next);
  }

  function tellBackOff({ waiting }: Extract<PodPlan, { state: "running" }>) {
    if (pod === undefined) return;
    for (const [name] of waiting) {
      if (clock.now() < (backOffTold.get(name) ?? 0) + BACK_OFF_EVENT_MS) continue;
      backOffTold.set(name, clock.now());
      const container = allContainers(pod).find((each) => each.container.name === name)?.container;
      record(pod, container, "Warning", "BackOff", `Back-off restarting failed container ${name} in pod ${formatPod(pod)}`);
    }
  }

  /** All containers have done their work: what still runs ends, the sandbox goes down, the object stays. */
  async function finish(outer: AbortSignal, signal: AbortSignal): Promise<Instant | undefined> {
    if (stage === "running") {
      await stopAll(await observe(signal), pod === undefined ? ORPHAN_GRACE_SECONDS : gracePeriodOf(pod), signal);
      await lister.relistPod(uid, outer);
      probes.stop(uid);
      stage = "stopped";
      await observe(outer);
    }
    publish(new Map(), true);
    if (stage === "stopped") await release(outer);
    return undefined;
  }

  async function terminate(outer: AbortSignal, signal: AbortSignal): Promise<Instant | undefined | "done"> {
    if (stage === "running") {
      const runtime = await observe(signal);
      if (pod !== undefined) {
        probes.update(pod, runtime);
        publish(new Map(), false);
      }
      await stopAll(runtime, pod === undefined ? ORPHAN_GRACE_SECONDS : gracePeriodOf(pod), signal);
      const after = await lister.relistPod(uid, outer);
      if (after?.containers.some((container) => container.state === "running") === true) return clock.now(); // started meanwhile
      probes.stop(uid);
      stage = "stopped";
      await observe(outer);
    }
    publish(new Map(), true);
    if (stage === "stopped") await release(outer);
    if (!gone && pod !== undefined && stage === "released") {
      await status.flush(uid);
      await deleteObject(pod, outer); // P2
      stage = "deleted";
    }
    if (!gone && pod !== undefined) return undefined; // until the watch tells that it is gone: finalizers may hold it
    await removeTraces(outer); // P3
    return "done";
  }

  async function stopAll(runtime: PodRuntime, graceSeconds: number, signal: AbortSignal) {
    const until = clock.now() + graceSeconds * 1000;
    for (const stageOf of terminationStages(pod, runtime)) {
      const left = Math.max(1, Math.ceil((until - clock.now()) / 1000));
      await Promise.all(
        stageOf.map((target) => {
          const again = ending.has(target.id);
          ending.add(target.id);
          return killContainer(context, pod, target, { message: "", graceSeconds: left, podIp: podIpOf(runtime), again }, signal);
        }),
      );
    }
    for (const sandbox of runtime.sandboxes) if (sandbox.ready) await cri.stopPodSandbox(sandbox.id, { signal });
  }

  function podIpOf(runtime: PodRuntime): string {
    return readySandbox(runtime)?.ips[0] ?? options.nodeAddresses[0] ?? "";
  }

  /** Volumes and cgroup. Files of the pod go with its volumes. */
  async function release(signal: AbortSignal) {
    await host.removeTree(podDirectory(options.rootDirectory, uid), signal);
    const cgroups = pod === undefined ? podCgroups(options.cgroupRoot, uid) : [podCgroup(options.cgroupRoot, pod)];
    for (const path of cgroups) await host.cgroups.remove(path, signal);
    paths = undefined;
    stage = "released";
  }

  async function deleteObject(of: Stored<Pod>, signal: AbortSignal) {
    try {
      await client.delete(PodKind, refOf(of), { gracePeriodSeconds: 0 }, signal);
    } catch (cause) {
      if (!hasReason(cause, "NotFound", "Conflict")) throw cause;
    }
  }

  async function removeTraces(signal: AbortSignal) {
    const runtime = await lister.relistPod(uid, signal);
    for (const sandbox of runtime?.sandboxes ?? []) {
      await cri.stopPodSandbox(sandbox.id, { signal });
      await cri.removePodSandbox(sandbox.id, { signal });
    }
    for (const container of (await lister.relistPod(uid, signal))?.containers ?? []) await cri.removeContainer(container.id, { signal });
    const { name, namespace } = pod === undefined ? { name: runtime?.name, namespace: runtime?.namespace } : pod.metadata;
    if (name !== undefined && namespace !== undefined) {
      await host.removeTree(podLogDirectory(options.logDirectory, { namespace, name, uid }), signal);
    }
    await lister.relistPod(uid, signal);
    status.forget(uid);
    context.puller.forget(uid);
    context.reader.forget(uid);
  }
}

const OWN_CONDITIONS: ReadonlySet<string> = new Set([
  "PodReadyToStartContainers",
  "Initialized",
  "Ready",
  "ContainersReady",
  "PodScheduled",
]);

/** Whether what the downward API tells of the pod may have changed. */
function describesItself(before: Stored<Pod>, after: Stored<Pod>): boolean {
  const facts = ({ metadata }: Stored<Pod>) => JSON.stringify([metadata.labels, metadata.annotations]);
  return facts(before) !== facts(after);
}

function earliest(...times: readonly (Instant | undefined)[]): Instant | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
