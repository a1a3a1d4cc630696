import { createHash } from "node:crypto";
import type { Clock, Instant } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type {
  CallOptions,
  Container,
  ContainerConfig,
  ContainerStats,
  ContainerStatus,
  CriRuntime,
  Image,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxState,
  PodSandboxStatus,
} from "../contract.ts";
import { CriError, type CriErrorCode } from "../error.ts";
import { type Addresses, createAddresses } from "./addresses.ts";
import { type Program, readCommand, readProgram } from "./program.ts";

export interface SimulatedDeps {
  readonly clock: Clock;
  readonly entropy: Entropy;
}

export interface SimulatedOptions {
  /** Pods get their addresses from here. A function is asked at the first sandbox; undefined: the node has no range yet. */
  readonly podCidr: string | (() => string | undefined);
  /** Images that are there from the start. @default none */
  readonly images?: readonly string[];
  /** What a pull answers: undefined is success, a text is the registry's refusal. @default every pull succeeds */
  readonly pull?: (image: string) => string | undefined;
}

interface Sandbox {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly createdAt: Instant;
  readonly ip: string;
  readonly runtimeHandler: string;
  state: PodSandboxState;
}

interface Running {
  readonly id: string;
  readonly sandbox: Sandbox;
  readonly config: ContainerConfig;
  readonly createdAt: Instant;
  readonly made: Image;
  readonly program: Program;
  startedAt: Instant;
  ended: { readonly at: Instant; readonly exitCode: number; readonly reason: string } | undefined;
}

/** What the simulation says of itself in `version()`. */
export const SIMULATED_RUNTIME_NAME = "navarch-simulated";

/**
 * A runtime without processes: sandboxes have addresses, containers have states that follow the clock (see readProgram), and
 * every image can be pulled. Commands run by execSync answer as readProgram understands them, at once; exec, attach and
 * portForward are refused with "Unimplemented". It starts nothing and needs no disposal.
 */
export function createSimulatedRuntime({ clock, entropy }: SimulatedDeps, options: SimulatedOptions): CriRuntime {
  let addresses: Addresses | undefined;
  const sandboxes = new Map<string, Sandbox>();
  const containers = new Map<string, Running>();
  const images = new Map<string, Image>();
  for (const name of options.images ?? []) addImage(name);
  const podCidr = () => (typeof options.podCidr === "string" ? options.podCidr : options.podCidr());
  const pool = () => {
    const cidr = podCidr();
    if (addresses === undefined && cidr === undefined)
      throw refuse("RunPodSandbox", "Unknown", "failed to setup network for sandbox: cni plugin not initialized");
    return (addresses ??= createAddresses(cidr ?? ""));
  };

  return {
    async version({ signal }) {
      check("Version", signal);
      return { version: "0.1.0", runtimeName: SIMULATED_RUNTIME_NAME, runtimeVersion: "1.0.0", runtimeApiVersion: "v1" };
    },
    async status(_request, { signal }) {
      check("Status", signal);
      const ready = { status: true, reason: "", message: "" };
      const message = "Network plugin returns error: cni plugin not initialized";
      const network = podCidr() === undefined ? { status: false, reason: "NetworkPluginNotReady", message } : ready;
      return {
        status: {
          conditions: [
            { type: "RuntimeReady", ...ready },
            { type: "NetworkReady", ...network },
          ],
        },
        info: {},
      };
    },
    async updateRuntimeConfig(_request, { signal }) {
      check("UpdateRuntimeConfig", signal);
    },

    async runPodSandbox({ config, runtimeHandler = "" }, { signal }) {
      check("RunPodSandbox", signal);
      const { uid, attempt } = config.metadata;
      const twin = [...sandboxes.values()].find((other) => other.config.metadata.uid === uid && other.config.metadata.attempt === attempt);
      if (twin !== undefined) throw refuse("RunPodSandbox", "Unknown", `failed to reserve sandbox name: it is reserved for "${twin.id}"`);
      const onHost = config.linux?.securityContext?.namespaceOptions?.network === "NODE";
      const ip = onHost ? "" : pool().take();
      if (ip === undefined)
        throw refuse(
          "RunPodSandbox",
          "Unknown",
          `failed to setup network for sandbox: no IP addresses available in range set: ${podCidr()}`,
        );
      const id = newId();
      sandboxes.set(id, { id, config, createdAt: clock.now(), ip, runtimeHandler, state: "SANDBOX_READY" });
      return id;
    },
    async stopPodSandbox(id, { signal }) {
      check("StopPodSandbox", signal);
      const sandbox = sandboxes.get(id);
      if (sandbox !== undefined) stopSandbox(sandbox);
    },
    async removePodSandbox(id, { signal }) {
      check("RemovePodSandbox", signal);
      const sandbox = sandboxes.get(id);
      if (sandbox === undefined) return;
      stopSandbox(sandbox);
      for (const container of containersOf(id)) containers.delete(container.id);
      sandboxes.delete(id);
    },
    async podSandboxStatus(id, { signal }) {
      check("PodSandboxStatus", signal);
      const sandbox = sandboxes.get(id);
      if (sandbox === undefined) throw refuse("PodSandboxStatus", "NotFound", `an error occurred when try to find sandbox: not found`);
      const network = { ip: sandbox.state === "SANDBOX_READY" ? sandbox.ip : "", additionalIps: [] };
      return { ...sandboxOf(sandbox), network } satisfies PodSandboxStatus;
    },
    async listPodSandbox(filter, { signal }) {
      check("ListPodSandbox", signal);
      return [...sandboxes.values()]
        .map(sandboxOf)
        .filter(
          (sandbox) =>
            (filter.id === undefined || sandbox.id === filter.id) &&
            (filter.state === undefined || sandbox.state === filter.state.state) &&
            hasLabels(sandbox.labels, filter.labelSelector),
        );
    },

    async createContainer({ podSandboxId, config }, { signal }) {
      check("CreateContainer", signal);
      const sandbox = sandboxes.get(podSandboxId);
      if (sandbox === undefined) throw refuse("CreateContainer", "NotFound", `failed to find sandbox id "${podSandboxId}": not found`);
      if (sandbox.state !== "SANDBOX_READY")
        throw refuse("CreateContainer", "Unknown", `sandbox container "${podSandboxId}" is not running`);
      const image = findImage(config.image.image);
      if (image === undefined) throw refuse("CreateContainer", "NotFound", `failed to resolve image "${config.image.image}": not found`);
      const { name, attempt } = config.metadata;
      const twin = containersOf(podSandboxId).find((c) => c.config.metadata.name === name && c.config.metadata.attempt === attempt);
      if (twin !== undefined)
        throw refuse("CreateContainer", "Unknown", `failed to reserve container name: it is reserved for "${twin.id}"`);
      const id = newId();
      const program = readProgram({
        name,
        argv: [...(config.command ?? []), ...(config.args ?? [])],
        containerAnnotations: config.annotations ?? {},
        podAnnotations: sandbox.config.annotations ?? {},
        podLabels: sandbox.config.labels ?? {},
      });
      containers.set(id, { id, sandbox, config, createdAt: clock.now(), made: image, program, startedAt: 0, ended: undefined });
      return id;
    },
    async startContainer(id, { signal }) {
      check("StartContainer", signal);
      const container = mustFind("StartContainer", id);
      const state = stateOf(container);
      if (state !== "CONTAINER_CREATED") throw refuse("StartContainer", "Unknown", `container is in ${state} state`);
      container.startedAt = clock.now();
    },
    async stopContainer({ containerId, timeoutSeconds }, { signal }) {
      check("StopContainer", signal);
      const container = containers.get(containerId);
      if (container === undefined) return;
      if (stateOf(container) !== "CONTAINER_RUNNING") return;
      const { ignoresTerm, termExitCode } = container.program;
      if (ignoresTerm) {
        await clock.sleep(timeoutSeconds * 1000, signal);
        check("StopContainer", signal);
      }
      if (stateOf(container) === "CONTAINER_RUNNING") end(container, ignoresTerm ? 137 : termExitCode);
    },
    async removeContainer(id, { signal }) {
      check("RemoveContainer", signal);
      containers.delete(id);
    },
    async listContainers(filter, { signal }) {
      check("ListContainers", signal);
      return [...containers.values()]
        .map(containerOf)
        .filter(
          (container) =>
            (filter.id === undefined || container.id === filter.id) &&
            (filter.state === undefined || container.state === filter.state.state) &&
            (filter.podSandboxId === undefined || container.podSandboxId === filter.podSandboxId) &&
            hasLabels(container.labels, filter.labelSelector),
        );
    },
    async containerStatus(id, { signal }) {
      check("ContainerStatus", signal);
      return statusOf(mustFind("ContainerStatus", id));
    },
    async verboseContainerStatus(id, { signal }) {
      check("ContainerStatus", signal);
      return { status: statusOf(mustFind("ContainerStatus", id)), info: {} };
    },
    async updateContainerResources({ containerId }, { signal }) {
      check("UpdateContainerResources", signal);
      mustFind("UpdateContainerResources", containerId);
    },
    async reopenContainerLog(id, { signal }) {
      check("ReopenContainerLog", signal);
      if (stateOf(mustFind("ReopenContainerLog", id)) !== "CONTAINER_RUNNING")
        throw refuse("ReopenContainerLog", "Unknown", "container is not running");
    },

    async execSync({ containerId, cmd, timeoutSeconds }, { signal }) {
      check("ExecSync", signal);
      const container = mustFind("ExecSync", containerId);
      if (stateOf(container) !== "CONTAINER_RUNNING") throw refuse("ExecSync", "Unknown", `container is in ${stateOf(container)} state`);
      const program = readCommand(cmd);
      const runsMs = program === undefined ? 0 : (program.runsMs ?? Number.POSITIVE_INFINITY);
      if (timeoutSeconds > 0 && runsMs > timeoutSeconds * 1000) {
        await clock.sleep(timeoutSeconds * 1000, signal);
        throw refuse(
          "ExecSync",
          "DeadlineExceeded",
          `failed to exec in container: timeout ${timeoutSeconds}s exceeded: context deadline exceeded`,
        );
      }
      if (runsMs > 0) await clock.sleep(runsMs, signal);
      check("ExecSync", signal);
      return { stdout: new Uint8Array(), stderr: new Uint8Array(), exitCode: program?.exitCode ?? 0 };
    },
    exec: (_request, o) => noStreams("Exec", o),
    attach: (_request, o) => noStreams("Attach", o),
    portForward: (_request, o) => noStreams("PortForward", o),

    async containerStats(id, { signal }) {
      check("ContainerStats", signal);
      return statsOf(mustFind("ContainerStats", id));
    },
    async listContainerStats(filter, { signal }) {
      check("ListContainerStats", signal);
      return [...containers.values()]
        .filter(
          (container) =>
            stateOf(container) === "CONTAINER_RUNNING" &&
            (filter.id === undefined || container.id === filter.id) &&
            (filter.podSandboxId === undefined || container.sandbox.id === filter.podSandboxId) &&
            hasLabels(container.config.labels ?? {}, filter.labelSelector),
        )
        .map(statsOf);
    },

    async listImages({ image }, { signal }) {
      check("ListImages", signal);
      const all = [...new Set(images.values())];
      if (image === undefined) return all;
      const found = findImage(image.image);
      return found === undefined ? [] : [found];
    },
    async imageStatus({ image }, { signal }) {
      check("ImageStatus", signal);
      return findImage(image);
    },
    async pullImage({ image: { image } }, { signal }) {
      check("PullImage", signal);
      const refusal = options.pull?.(image);
      if (refusal !== undefined) throw refuse("PullImage", "NotFound", `failed to pull and unpack image "${normalise(image)}": ${refusal}`);
      return addImage(image).id;
    },
    async removeImage({ image }, { signal }) {
      check("RemoveImage", signal);
      const found = findImage(image);
      for (const [name, held] of images) if (held === found) images.delete(name);
    },
    async imageFsInfo({ signal }) {
      check("ImageFsInfo", signal);
      const usedBytes = [...new Set(images.values())].reduce((sum, image) => sum + image.size, 0);
      return [{ timestamp: clock.now(), fsId: { mountpoint: "/var/lib/simulated" }, usedBytes, inodesUsed: images.size }];
    },
  };

  function newId(): string {
    return createHash("sha256").update(entropy.uid()).digest("hex");
  }

  function containersOf(sandboxId: string): readonly Running[] {
    return [...containers.values()].filter((container) => container.sandbox.id === sandboxId);
  }

  function stopSandbox(sandbox: Sandbox) {
    for (const container of containersOf(sandbox.id)) if (stateOf(container) === "CONTAINER_RUNNING") end(container, 137);
    if (sandbox.state === "SANDBOX_READY" && sandbox.ip !== "") pool().release(sandbox.ip);
    sandbox.state = "SANDBOX_NOTREADY";
  }

  function mustFind(call: string, id: string): Running {
    const container = containers.get(id);
    if (container === undefined) throw refuse(call, "NotFound", `an error occurred when try to find container "${id}": not found`);
    return container;
  }

  /** A container that exits by itself does so when somebody looks: nothing else can tell the difference. */
  function stateOf(container: Running): Container["state"] {
    if (container.ended !== undefined) return "CONTAINER_EXITED";
    if (container.startedAt === 0) return "CONTAINER_CREATED";
    const { runsMs, exitCode } = container.program;
    if (runsMs === undefined || clock.now() < container.startedAt + runsMs) return "CONTAINER_RUNNING";
    end(container, exitCode, container.startedAt + runsMs);
    return "CONTAINER_EXITED";
  }

  function end(container: Running, exitCode: number, at = clock.now()) {
    container.ended = { at, exitCode, reason: exitCode === 0 ? "Completed" : "Error" };
  }

  function sandboxOf({ id, config, state, createdAt, runtimeHandler }: Sandbox): PodSandbox {
    return {
      id,
      metadata: config.metadata,
      state,
      createdAt,
      labels: config.labels ?? {},
      annotations: config.annotations ?? {},
      runtimeHandler,
    };
  }

  function containerOf(container: Running): Container {
    const { id, sandbox, config, createdAt, made } = container;
    return {
      id,
      podSandboxId: sandbox.id,
      metadata: config.metadata,
      image: { image: made.repoTags[0] ?? made.id },
      imageRef: made.repoDigests[0] ?? made.id,
      state: stateOf(container),
      createdAt,
      labels: config.labels ?? {},
      annotations: config.annotations ?? {},
    };
  }

  function statusOf(container: Running): ContainerStatus {
    const { sandbox, config, made } = container;
    const { podSandboxId: _in, ...rest } = containerOf(container);
    return {
      ...rest,
      startedAt: container.startedAt,
      finishedAt: container.ended?.at ?? 0,
      exitCode: container.ended?.exitCode ?? 0,
      reason: container.ended?.reason ?? "",
      message: "",
      mounts: config.mounts ?? [],
      logPath: config.logPath === undefined ? "" : `${sandbox.config.logDirectory ?? ""}/${config.logPath}`,
      imageId: made.id,
    };
  }

  function statsOf(container: Running): ContainerStats {
    const timestamp = clock.now();
    const { id, config } = container;
    return {
      attributes: { id, metadata: config.metadata, labels: config.labels ?? {}, annotations: config.annotations ?? {} },
      cpu: { timestamp, usageCoreNanoSeconds: Math.max(0, timestamp - container.startedAt) * 1_000, usageNanoCores: 1_000_000 },
      memory: { timestamp, workingSetBytes: 1024 * 1024, usageBytes: 1024 * 1024, rssBytes: 1024 * 1024 },
      writableLayer: { timestamp, fsId: { mountpoint: "/var/lib/simulated" }, usedBytes: 0, inodesUsed: 0 },
    };
  }

  function findImage(name: string): Image | undefined {
    return images.get(name) ?? images.get(normalise(name)) ?? [...images.values()].find((image) => image.id === name);
  }

  function addImage(name: string): Image {
    const known = findImage(name);
    if (known !== undefined) return known;
    const full = normalise(name);
    const digest = createHash("sha256").update(full).digest("hex");
    const repository = full.replace(/@.*$/, "").replace(/:[^:/]*$/, "");
    const image: Image = {
      id: `sha256:${createHash("sha256").update(`config of ${full}`).digest("hex")}`,
      repoTags: full.includes("@") ? [] : [full],
      repoDigests: [full.includes("@") ? full : `${repository}@sha256:${digest}`],
      size: 1024 * 1024,
      username: "",
      pinned: false,
    };
    images.set(full, image);
    return image;
  }
}

/** Docker's short names, completed: `nginx` is `docker.io/library/nginx:latest`. */
function normalise(name: string): string {
  const slash = name.indexOf("/");
  const host = slash < 0 ? "" : name.slice(0, slash);
  const hasHost = /[.:]/.test(host) || host === "localhost";
  const full = hasHost ? name : slash < 0 ? `docker.io/library/${name}` : `docker.io/${name}`;
  return full.includes("@") || /:[^:/]*$/.test(full) ? full : `${full}:latest`;
}

function hasLabels(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>> = {}): boolean {
  return Object.entries(wanted).every(([key, value]) => labels[key] === value);
}

function refuse(call: string, code: CriErrorCode, details: string): CriError {
  return new CriError({ code, call, details });
}

function check(call: string, signal: AbortSignal) {
  if (signal.aborted) throw refuse(call, "Cancelled", "the caller gave up");
}

async function noStreams(call: string, { signal }: CallOptions): Promise<never> {
  check(call, signal);
  throw refuse(call, "Unimplemented", "simulated containers have no processes to stream from");
}
