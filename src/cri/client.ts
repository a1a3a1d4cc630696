import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { Log } from "#base/log.ts";
import type { CallOptions, CriRuntime } from "./contract.ts";
import { CriError, classifyCriError, isCriError } from "./error.ts";
import { lookupMethod, type Method, type ServiceName } from "./messages.ts";

export interface CriClientOptions {
  /** Path of the runtime's unix socket. */
  readonly socketPath: string;
  readonly log: Log;
}

/** Limit of calls that do not say otherwise, as upstream's --runtime-request-timeout. */
const DEFAULT_TIMEOUT_MS = 120_000;
/** Network set-up and a first unpacking may take long, and an abandoned sandbox costs more than waiting. */
const SANDBOX_TIMEOUT_MS = 240_000;
const NO_LIMIT = Number.POSITIVE_INFINITY;
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

/**
 * A client of the runtime that listens on `socketPath`. It connects at the first call, and again after the runtime was
 * restarted; calls in between fail with "Unavailable". The owner disposes it; calls under way then end as "Cancelled".
 */
export function connectCri({ socketPath, log }: CriClientOptions): CriRuntime & AsyncDisposable {
  const channel = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.enable_http_proxy": 0,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.default_authority": "localhost",
  });
  const methods = new Map<string, Method>();

  async function call(service: ServiceName, name: string, request: object, options: CallOptions, limitMs: number): Promise<never> {
    const { signal, timeoutMs = limitMs } = options;
    if (signal.aborted) throw cancelled(name);
    let method = methods.get(name);
    if (method === undefined) methods.set(name, (method = lookupMethod(service, name)));
    const { path, encode, decode } = method;
    const began = performance.now();
    try {
      return await new Promise((resolve, reject) => {
        const deadline = timeoutMs === NO_LIMIT ? {} : { deadline: Date.now() + timeoutMs };
        const rpc = channel.makeUnaryRequest(path, encode, decode, request, new Metadata(), deadline, (failure, answer) => {
          signal.removeEventListener("abort", cancel);
          if (failure !== null) reject(failure);
          else resolve(answer as never); // decode() made it from the descriptor that contract.ts describes
        });
        signal.addEventListener("abort", cancel, { once: true });
        function cancel() {
          rpc.cancel();
        }
      });
    } catch (cause) {
      throw signal.aborted ? cancelled(name, cause) : classifyCriError(cause, name);
    } finally {
      log.debug("CRI call", { call: name, ms: Math.round(performance.now() - began) });
    }
  }

  const runtime = (name: string, request: object, options: CallOptions, limitMs = DEFAULT_TIMEOUT_MS) =>
    call("RuntimeService", name, request, options, limitMs);
  const images = (name: string, request: object, options: CallOptions, limitMs = DEFAULT_TIMEOUT_MS) =>
    call("ImageService", name, request, options, limitMs);
  async function done(answer: Promise<unknown>): Promise<void> {
    await answer;
  }
  /** The field `name` of the answer; the descriptor guarantees it. */
  async function pick(answer: Promise<never>, name: string): Promise<never> {
    return (await answer)[name];
  }
  /** Older runtimes answer NotFound where the API says that gone is fine. */
  async function goneIsFine(answer: Promise<unknown>): Promise<void> {
    try {
      await answer;
    } catch (cause) {
      if (!isCriError(cause, "NotFound")) throw cause;
    }
  }

  return {
    version: (o) => runtime("Version", {}, o),
    status: (request, o) => runtime("Status", request, o),
    updateRuntimeConfig: (request, o) => done(runtime("UpdateRuntimeConfig", request, o)),

    runPodSandbox: (request, o) => pick(runtime("RunPodSandbox", request, o, SANDBOX_TIMEOUT_MS), "podSandboxId"),
    stopPodSandbox: (podSandboxId, o) => goneIsFine(runtime("StopPodSandbox", { podSandboxId }, o, SANDBOX_TIMEOUT_MS)),
    removePodSandbox: (podSandboxId, o) => goneIsFine(runtime("RemovePodSandbox", { podSandboxId }, o)),
    podSandboxStatus: (podSandboxId, o) => required("PodSandboxStatus", runtime("PodSandboxStatus", { podSandboxId }, o), "status"),
    listPodSandbox: (filter, o) => pick(runtime("ListPodSandbox", { filter }, o), "items"),

    createContainer: (request, o) => pick(runtime("CreateContainer", request, o), "containerId"),
    startContainer: (containerId, o) => done(runtime("StartContainer", { containerId }, o)),
    stopContainer: ({ containerId, timeoutSeconds }, o) =>
      goneIsFine(runtime("StopContainer", { containerId, timeout: timeoutSeconds }, o, timeoutSeconds * 1000 + DEFAULT_TIMEOUT_MS)),
    removeContainer: (containerId, o) => goneIsFine(runtime("RemoveContainer", { containerId }, o)),
    listContainers: (filter, o) => pick(runtime("ListContainers", { filter }, o), "containers"),
    containerStatus: (containerId, o) => required("ContainerStatus", runtime("ContainerStatus", { containerId }, o), "status"),
    verboseContainerStatus: (containerId, o) => runtime("ContainerStatus", { containerId, verbose: true }, o),
    updateContainerResources: (request, o) => done(runtime("UpdateContainerResources", request, o)),
    reopenContainerLog: (containerId, o) => done(runtime("ReopenContainerLog", { containerId }, o)),

    execSync: ({ containerId, cmd, timeoutSeconds }, o) =>
      runtime(
        "ExecSync",
        { containerId, cmd, timeout: timeoutSeconds },
        o,
        timeoutSeconds === 0 ? NO_LIMIT : timeoutSeconds * 1000 + DEFAULT_TIMEOUT_MS,
      ),
    exec: (request, o) => pick(runtime("Exec", request, o), "url"),
    attach: (request, o) => pick(runtime("Attach", request, o), "url"),
    portForward: (request, o) => pick(runtime("PortForward", request, o), "url"),

    containerStats: (containerId, o) => required("ContainerStats", runtime("ContainerStats", { containerId }, o), "stats"),
    listContainerStats: (filter, o) => pick(runtime("ListContainerStats", { filter }, o), "stats"),

    listImages: (filter, o) => pick(images("ListImages", { filter }, o), "images"),
    imageStatus: (image, o) => pick(images("ImageStatus", { image }, o), "image"),
    pullImage: (request, o) => pick(images("PullImage", request, o, NO_LIMIT), "imageRef"),
    removeImage: (image, o) => goneIsFine(images("RemoveImage", { image }, o)),
    imageFsInfo: (o) => pick(images("ImageFsInfo", {}, o), "imageFilesystems"),

    [Symbol.asyncDispose]: () => {
      channel.close();
      return Promise.resolve();
    },
  };

  async function required(name: string, answer: Promise<never>, field: string): Promise<never> {
    const value = await pick(answer, field);
    if (value === undefined) throw new CriError({ code: "Unknown", call: name, details: `the answer has no ${field}` });
    return value;
  }
}

function cancelled(call: string, cause?: unknown): CriError {
  return new CriError({ code: "Cancelled", call, details: "the caller gave up" }, { cause });
}
