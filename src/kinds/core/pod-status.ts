import type { ContainerStatus, Pod, PodSpec, PodStatus } from "#machinery/api/core-v1.ts";
import { isConditionTrue } from "../conditions.ts";
import { age, isZeroTime } from "../printing.ts";

export interface PodSummary {
  /** `1/2` */
  readonly ready: string;
  /** `Running`, `Init:0/1`, `CrashLoopBackOff`, `Terminating`, ... */
  readonly status: string;
  /** `3 (5m ago)` */
  readonly restarts: string;
}

/** Init containers that keep running beside the main ones. */
export function isSidecar(container: { readonly restartPolicy?: string }): boolean {
  return container.restartPolicy === "Always";
}

/** What `kubectl get pods` shows of a pod: one word for the state of all its containers. */
export function summarizePod(pod: Pod, now: number): PodSummary {
  const spec: Partial<PodSpec> = pod.spec ?? {};
  const status: PodStatus = pod.status ?? {};
  const sidecars = new Set((spec.initContainers ?? []).filter(isSidecar).map(({ name }) => name));

  const init = summarizeInit(status, spec.initContainers?.length ?? 0, sidecars);
  let word = init.word ?? (isGated(status) ? "SchedulingGated" : status.reason || status.phase || "");
  let restarts = init.restarts;
  let readyCount = init.ready;
  if (init.word === undefined || isConditionTrue(status.conditions, "Initialized")) {
    const main = summarizeMain(status.containerStatuses ?? []);
    word = main.word ?? word;
    if (word === "Completed" && main.running) word = isConditionTrue(status.conditions, "Ready") ? "Running" : "NotReady";
    restarts = sum(init.sidecarRestarts, main.restarts);
    readyCount += main.ready;
  }

  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status.reason === "NodeLost") word = "Unknown";
    else if (status.phase !== "Succeeded" && status.phase !== "Failed") word = "Terminating";
  }
  const total = (spec.containers?.length ?? 0) + sidecars.size;
  const when = restarts.count !== 0 && !isZeroTime(restarts.last) ? ` (${age(restarts.last, now)} ago)` : "";
  return { ready: `${readyCount}/${total}`, status: word, restarts: `${restarts.count}${when}` };
}

interface Restarts {
  readonly count: number;
  readonly last: string | undefined;
}

const NO_RESTARTS: Restarts = { count: 0, last: undefined };

function restartsOf(status: ContainerStatus): Restarts {
  const finished = status.lastState?.terminated?.finishedAt;
  return { count: status.restartCount ?? 0, last: isZeroTime(finished) ? undefined : finished };
}

function sum(a: Restarts, b: Restarts): Restarts {
  const later = a.last === undefined || (b.last !== undefined && Date.parse(b.last) > Date.parse(a.last)) ? b.last : a.last;
  return { count: a.count + b.count, last: later };
}

function isGated(status: PodStatus): boolean {
  return (status.conditions ?? []).some(({ type, reason }) => type === "PodScheduled" && reason === "SchedulingGated");
}

/** `word` is undefined when initialization is over. */
function summarizeInit(status: PodStatus, total: number, sidecars: ReadonlySet<string>) {
  let restarts = NO_RESTARTS;
  let sidecarRestarts = NO_RESTARTS;
  let ready = 0;
  for (const [index, container] of (status.initContainerStatuses ?? []).entries()) {
    const sidecar = sidecars.has(container.name);
    restarts = sum(restarts, restartsOf(container));
    if (sidecar) sidecarRestarts = sum(sidecarRestarts, restartsOf(container));
    const { terminated, waiting } = container.state ?? {};
    if (terminated !== undefined && terminated.exitCode === 0) continue;
    if (sidecar && container.started === true) {
      if (container.ready) ready += 1;
      continue;
    }
    let word = `Init:${index}/${total}`;
    if (terminated !== undefined) word = `Init:${terminated.reason || exitWord(terminated)}`;
    else if (waiting?.reason !== undefined && waiting.reason !== "" && waiting.reason !== "PodInitializing")
      word = `Init:${waiting.reason}`;
    return { word, restarts, sidecarRestarts, ready };
  }
  return { word: undefined, restarts, sidecarRestarts, ready };
}

function summarizeMain(containers: readonly ContainerStatus[]) {
  let word: string | undefined;
  let running = false;
  let ready = 0;
  let restarts = NO_RESTARTS;
  for (const container of containers.toReversed()) {
    restarts = sum(restarts, restartsOf(container));
    const { terminated, waiting } = container.state ?? {};
    if (waiting?.reason !== undefined && waiting.reason !== "") word = waiting.reason;
    else if (terminated !== undefined) word = terminated.reason || exitWord(terminated);
    else if (container.ready && container.state?.running !== undefined) {
      running = true;
      ready += 1;
    }
  }
  return { word, running, ready, restarts };
}

function exitWord({ signal = 0, exitCode }: { readonly signal?: number; readonly exitCode: number }): string {
  return signal === 0 ? `ExitCode:${exitCode}` : `Signal:${signal}`;
}
