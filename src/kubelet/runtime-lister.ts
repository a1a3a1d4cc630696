import type { Container, ContainerStatus, CriRuntime, PodSandbox, PodSandboxStatus } from "#cri/contract.ts";
import { isCriError } from "#cri/error.ts";
import { ANNOTATION, LABEL } from "./names.ts";
import type { PodRuntime, RuntimeContainer, RuntimeSandbox } from "./pod-runtime.ts";

/**
 * What runs, as far as it carries a pod's labels.
 *
 * L1. An answer is never older than a state that was handed out before for the same pod.
 * L2. `relist` returns the uids whose sandboxes or containers differ from what was handed out before.
 * L3. Statuses are asked for only where something changed: an unchanged node costs two calls.
 */
export interface RuntimeLister {
  get(uid: string): PodRuntime | undefined;
  all(): readonly PodRuntime[];
  relist(signal: AbortSignal): Promise<readonly string[]>;
  /** One pod, now. undefined: the runtime has nothing of it. */
  relistPod(uid: string, signal: AbortSignal): Promise<PodRuntime | undefined>;
}

export function createRuntimeLister({ cri }: { readonly cri: CriRuntime }): RuntimeLister {
  const pods = new Map<string, { readonly order: number; readonly mark: string; readonly runtime: PodRuntime }>();
  const sandboxStatuses = new Map<string, { readonly state: string; readonly status: PodSandboxStatus }>();
  const containerStatuses = new Map<string, { readonly state: string; readonly status: ContainerStatus }>();
  let order = 0;

  return {
    get: (uid) => pods.get(uid)?.runtime,
    all: () => Array.from(pods.values(), ({ runtime }) => runtime),
    async relist(signal) {
      const mine = ++order;
      const [sandboxes, containers] = await Promise.all([cri.listPodSandbox({}, { signal }), cri.listContainers({}, { signal })]);
      const found = group(sandboxes, containers);
      const changed: string[] = [];
      for (const [uid, one] of found) if (await accept(uid, one, mine, signal)) changed.push(uid);
      for (const [uid, { order: last }] of pods) {
        if (found.has(uid) || last > mine) continue;
        pods.delete(uid);
        changed.push(uid);
      }
      prune(sandboxes, containers);
      return changed;
    },
    async relistPod(uid, signal) {
      const mine = ++order;
      const filter = { labelSelector: { [LABEL.podUid]: uid } };
      const [sandboxes, containers] = await Promise.all([cri.listPodSandbox(filter, { signal }), cri.listContainers(filter, { signal })]);
      const one = group(sandboxes, containers).get(uid);
      if (one !== undefined) await accept(uid, one, mine, signal);
      else if ((pods.get(uid)?.order ?? 0) < mine) pods.delete(uid);
      return pods.get(uid)?.runtime;
    },
  };

  /** Whether it differs from the last. L1: an older answer is dropped. */
  async function accept(uid: string, one: Listed, mine: number, signal: AbortSignal): Promise<boolean> {
    const mark = markOf(one);
    const last = pods.get(uid);
    if (last !== undefined && (last.order > mine || last.mark === mark)) return false; // L3
    const runtime = await describe(uid, one, signal);
    if ((pods.get(uid)?.order ?? 0) > mine) return false;
    pods.set(uid, { order: mine, mark, runtime });
    return true;
  }

  async function describe(uid: string, { sandboxes, containers }: Listed, signal: AbortSignal): Promise<PodRuntime> {
    const described = await Promise.all([
      Promise.all(sandboxes.map((sandbox) => sandboxOf(sandbox, signal))),
      Promise.all(containers.map((container) => containerOf(container, signal))),
    ]);
    const [ownSandboxes, ownContainers] = described;
    const labels = sandboxes[0]?.labels ?? containers[0]?.labels ?? {};
    return {
      uid,
      name: labels[LABEL.podName] ?? "",
      namespace: labels[LABEL.podNamespace] ?? "",
      sandboxes: ownSandboxes.filter((each) => each !== undefined).toSorted((a, b) => b.createdAt - a.createdAt || b.attempt - a.attempt),
      containers: ownContainers
        .filter((each) => each !== undefined)
        .toSorted((a, b) => b.createdAt - a.createdAt || b.restartCount - a.restartCount),
    };
  }

  async function sandboxOf(sandbox: PodSandbox, signal: AbortSignal): Promise<RuntimeSandbox | undefined> {
    const { id, state, metadata, createdAt } = sandbox;
    const known = sandboxStatuses.get(id);
    let status = known?.state === state ? known.status : undefined;
    if (status === undefined) {
      status = await orGone(cri.podSandboxStatus(id, { signal }));
      if (status === undefined) return undefined;
      sandboxStatuses.set(id, { state, status });
    }
    const { ip = "", additionalIps = [] } = status.network ?? {};
    const ips = [ip, ...additionalIps.map((each) => each.ip)].filter((each) => each !== "");
    return { id, attempt: metadata.attempt, ready: status.state === "SANDBOX_READY", createdAt, ips };
  }

  async function containerOf(container: Container, signal: AbortSignal): Promise<RuntimeContainer | undefined> {
    const { id, state, podSandboxId } = container;
    const known = containerStatuses.get(id);
    let status = known?.state === state ? known.status : undefined;
    if (status === undefined) {
      status = await orGone(cri.containerStatus(id, { signal }));
      if (status === undefined) return undefined;
      // The list may lag behind the status; what is kept is known under its own state.
      containerStatuses.set(id, { state: status.state, status });
    }
    return {
      id,
      name: status.metadata.name,
      sandboxId: podSandboxId,
      restartCount: Number(status.annotations[ANNOTATION.restartCount] ?? status.metadata.attempt),
      hash: status.annotations[ANNOTATION.hash] ?? "",
      state: STATES[status.state],
      createdAt: status.createdAt,
      startedAt: status.startedAt,
      finishedAt: status.finishedAt,
      exitCode: status.exitCode,
      reason: status.reason,
      message: status.message,
      image: status.image?.image ?? "",
      imageId: status.imageRef,
      logPath: status.logPath,
    };
  }

  function prune(sandboxes: readonly PodSandbox[], containers: readonly Container[]) {
    const live = new Set([...sandboxes, ...containers].map(({ id }) => id));
    for (const id of sandboxStatuses.keys()) if (!live.has(id)) sandboxStatuses.delete(id);
    for (const id of containerStatuses.keys()) if (!live.has(id)) containerStatuses.delete(id);
  }
}

interface Listed {
  readonly sandboxes: PodSandbox[];
  readonly containers: Container[];
}

function group(sandboxes: readonly PodSandbox[], containers: readonly Container[]): Map<string, Listed> {
  const found = new Map<string, Listed>();
  const of = (uid: string) => {
    let one = found.get(uid);
    if (one === undefined) found.set(uid, (one = { sandboxes: [], containers: [] }));
    return one;
  };
  for (const sandbox of sandboxes) {
    const uid = sandbox.labels[LABEL.podUid];
    if (uid !== undefined) of(uid).sandboxes.push(sandbox);
  }
  for (const container of containers) {
    const uid = container.labels[LABEL.podUid];
    if (uid !== undefined) of(uid).containers.push(container);
  }
  return found;
}

function markOf({ sandboxes, containers }: Listed): string {
  return [...sandboxes, ...containers]
    .map(({ id, state }) => `${id}=${state}`)
    .toSorted()
    .join(",");
}

const STATES = {
  CONTAINER_CREATED: "created",
  CONTAINER_RUNNING: "running",
  CONTAINER_EXITED: "exited",
  CONTAINER_UNKNOWN: "unknown",
} as const;

async function orGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (cause) {
    if (isCriError(cause, "NotFound")) return undefined;
    throw cause;
  }
}
