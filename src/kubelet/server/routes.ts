import type { Pod } from "#machinery/api/core-v1.ts";
import type { RemoteCommandOptions } from "#streaming/remote-command/contract.ts";
import type { PlainAnswer } from "#streaming/upgrade.ts";
import { type PodRuntime, readySandbox } from "../pod-runtime.ts";
import type { ConnectStreams, PortForwardSession, ProvidedText, ServedPods, StreamingRuntime } from "./contract.ts";
import { findLogContainer } from "./log-container.ts";
import { type LogOptions, parseLogOptions } from "./log-options.ts";
import type { LogSource } from "./logs.ts";

/** What a request asks for, found out before anything is answered. */
export type Routed =
  | { readonly kind: "answer"; readonly answer: PlainAnswer }
  | { readonly kind: "log"; readonly source: LogSource; readonly options: LogOptions }
  | {
      readonly kind: "command";
      readonly options: RemoteCommandOptions;
      readonly prepare: (signal: AbortSignal) => Promise<ConnectStreams>;
    }
  | { readonly kind: "portForward"; readonly prepare: (signal: AbortSignal) => Promise<PortForwardSession> };

export interface RouteDeps {
  readonly pods: ServedPods;
  readonly streaming: StreamingRuntime;
  /** Texts of `/metrics` and the paths below it; undefined where there is nothing at a path. */
  readonly metrics?: (path: string, signal: AbortSignal) => Promise<ProvidedText | undefined>;
  /** The body of `/stats/summary`. */
  readonly statsSummary?: (signal: AbortSignal) => Promise<unknown>;
  /** What is wrong with the node agent; undefined: nothing. */
  readonly unhealthy?: () => string | undefined;
}

export async function route(method: string, url: URL, deps: RouteDeps, signal: AbortSignal): Promise<Routed> {
  const segments = decodeSegments(url.pathname);
  if (segments === undefined) return text(400, "invalid path\n");
  const [first = "", ...rest] = segments;
  switch (first) {
    case "healthz":
      return healthz(deps);
    case "pods":
      return json(200, podList(deps.pods.pods()));
    case "runningpods":
      return method === "GET" ? json(200, podList(deps.pods.pods().flatMap((pod) => runningPod(pod, deps.pods)))) : methodNotAllowed("GET");
    case "containerLogs":
      return method === "GET" ? containerLogs(rest, url.searchParams, deps) : methodNotAllowed("GET");
    case "exec":
    case "attach":
      return method === "GET" || method === "POST" ? remoteCommand(first, rest, url.searchParams, deps) : methodNotAllowed("GET, POST");
    case "portForward":
      return method === "GET" || method === "POST" ? portForward(rest, deps) : methodNotAllowed("GET, POST");
    case "run":
      return method === "POST" ? run(rest, url.searchParams, deps, signal) : methodNotAllowed("POST");
    case "metrics":
      return metrics(url.pathname, deps, signal);
    case "stats":
      return stats(rest, deps, signal);
    case "logs":
      return text(405, "logs endpoint is disabled.\n");
    default:
      return text(404, "404 page not found\n");
  }
}

function healthz({ unhealthy }: RouteDeps): Routed {
  const problem = unhealthy?.();
  return problem === undefined ? text(200, "ok") : text(500, `${problem}\n`);
}

function containerLogs([namespace, name, container, ...more]: readonly string[], query: URLSearchParams, { pods }: RouteDeps): Routed {
  if (namespace === undefined || name === undefined || container === undefined || more.length > 0) return text(404, "404 page not found\n");
  const parsed = parseLogOptions(query);
  if (!parsed.ok && parsed.because === "undecodable") return text(400, '{"message": "Unable to decode query."}');
  if (!parsed.ok) return text(422, '{"message": "Invalid request."}');
  const pod = pods.pod(namespace, name);
  if (pod === undefined) return text(404, `pod ${JSON.stringify(name)} does not exist`);
  if (!containerNames(pod).includes(container)) {
    return text(404, `container ${JSON.stringify(container)} not found in pod ${JSON.stringify(name)}`);
  }
  const found = findLogContainer(pod, container, parsed.options);
  if (!found.ok) return text(400, found.message);
  const { uid } = pod.metadata;
  const current = () => pods.runtime(uid)?.containers.find(({ id }) => id === found.containerId);
  const path = current()?.logPath;
  if (path === undefined || path === "") return text(400, `unable to retrieve container logs for containerd://${found.containerId}`);
  const isRunning = () => {
    const state = current()?.state;
    return state === "running" || state === "created" || state === "unknown";
  };
  return { kind: "log", source: { path, isRunning }, options: parsed.options };
}

function remoteCommand(what: "exec" | "attach", path: readonly string[], query: URLSearchParams, { pods, streaming }: RouteDeps): Routed {
  const target = podPath(path);
  if (target === undefined) return text(404, "404 page not found\n");
  const tty = query.get("tty") === "1";
  // With a terminal there is no separate stderr: upstream passes over the request for one.
  const options = {
    stdin: query.get("input") === "1",
    stdout: query.get("output") === "1",
    stderr: query.get("error") === "1" && !tty,
    tty,
  };
  if (!options.stdin && !options.stdout && !options.stderr) return text(400, "you must specify at least 1 of stdin, stdout, stderr");
  const found = findRunning(target, pods);
  if (!found.ok) return found.refusal;
  const container = { ...options, containerId: found.containerId };
  if (what === "attach") return { kind: "command", options, prepare: (signal) => streaming.attach(container, signal) };
  const command = query.getAll("command");
  return { kind: "command", options, prepare: (signal) => streaming.exec({ ...container, command }, signal) };
}

function portForward([namespace, name, uid, ...more]: readonly string[], { pods, streaming }: RouteDeps): Routed {
  if (namespace === undefined || name === undefined || more.length > 0) return text(404, "404 page not found\n");
  const pod = pods.pod(namespace, name);
  if (pod === undefined) return text(404, "pod does not exist");
  if (uid !== undefined && pod.metadata.uid !== uid) return text(404, "pod not found");
  const runtime = pods.runtime(pod.metadata.uid);
  const sandbox = runtime === undefined ? undefined : readySandbox(runtime);
  if (sandbox === undefined) return text(500, `pod not found (${JSON.stringify(`${name}_${namespace}`)})`);
  return { kind: "portForward", prepare: (signal) => streaming.portForward(sandbox.id, signal) };
}

async function run(path: readonly string[], query: URLSearchParams, { pods, streaming }: RouteDeps, signal: AbortSignal): Promise<Routed> {
  const target = podPath(path);
  if (target === undefined) return text(404, "404 page not found\n");
  const found = findRunning(target, pods);
  if (!found.ok) return found.refusal;
  try {
    const output = await streaming.run(found.containerId, (query.get("cmd") ?? "").split(" "), signal);
    return { kind: "answer", answer: { code: 200, body: Buffer.from(output).toString(), contentType: "application/json" } };
  } catch (cause) {
    return text(500, cause instanceof Error ? cause.message : String(cause));
  }
}

async function metrics(path: string, { metrics }: RouteDeps, signal: AbortSignal): Promise<Routed> {
  if (metrics === undefined) return notProvided("metrics");
  const provided = await metrics(path, signal);
  return provided === undefined ? text(404, "404 page not found\n") : { kind: "answer", answer: { code: 200, ...provided } };
}

async function stats([what]: readonly string[], { statsSummary }: RouteDeps, signal: AbortSignal): Promise<Routed> {
  if (what !== "summary") return text(404, "404 page not found\n");
  return statsSummary === undefined ? notProvided("stats/summary") : json(200, await statsSummary(signal));
}

interface PodPath {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string | undefined;
  readonly container: string;
}

/** `{namespace}/{pod}/{container}` or `{namespace}/{pod}/{uid}/{container}`. */
function podPath(segments: readonly string[]): PodPath | undefined {
  const [namespace, name, third, fourth] = segments;
  if (namespace === undefined || name === undefined || third === undefined || segments.length > 4) return undefined;
  return fourth === undefined ? { namespace, name, uid: undefined, container: third } : { namespace, name, uid: third, container: fourth };
}

type Running = { readonly ok: true; readonly containerId: string } | { readonly ok: false; readonly refusal: Routed };

function findRunning({ namespace, name, uid, container }: PodPath, pods: ServedPods): Running {
  const pod = pods.pod(namespace, name);
  if (pod === undefined) return { ok: false, refusal: text(404, "pod does not exist") };
  const runtime: PodRuntime | undefined = uid === undefined || uid === pod.metadata.uid ? pods.runtime(pod.metadata.uid) : undefined;
  const found = runtime?.containers.find((each) => each.name === container && each.state === "running");
  return found === undefined
    ? { ok: false, refusal: text(500, `container not found (${JSON.stringify(container)})`) }
    : { ok: true, containerId: found.id };
}

function containerNames({ spec }: Pod): readonly string[] {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? []), ...(spec?.ephemeralContainers ?? [])].map(({ name }) => name);
}

function podList(items: readonly unknown[]) {
  return { kind: "PodList", apiVersion: "v1", metadata: {}, items };
}

/** A pod as the runtime alone would tell it; nothing when none of its containers runs. */
function runningPod({ metadata: { name, namespace, uid } }: ReturnType<ServedPods["pods"]>[number], pods: ServedPods): readonly object[] {
  const running = pods.runtime(uid)?.containers.filter(({ state }) => state === "running") ?? [];
  if (running.length === 0) return [];
  const containers = running.map((each) => ({ name: each.name, image: each.image, resources: {} }));
  return [{ metadata: { name, ...(namespace !== undefined && { namespace }), uid }, spec: { containers }, status: {} }];
}

function decodeSegments(path: string): readonly string[] | undefined {
  try {
    return path.split("/").filter(Boolean).map(decodeURIComponent);
  } catch (cause) {
    if (cause instanceof URIError) return undefined;
    throw cause;
  }
}

function text(code: number, body: string): Routed {
  return { kind: "answer", answer: { code, body } };
}

function json(code: number, body: unknown): Routed {
  return { kind: "answer", answer: { code, body: `${JSON.stringify(body)}\n`, contentType: "application/json" } };
}

function methodNotAllowed(allowed: string): Routed {
  return { kind: "answer", answer: { code: 405, body: "Method Not Allowed", headers: { Allow: allowed } } };
}

function notProvided(what: string): Routed {
  const message = `this node does not provide ${what}`;
  return json(501, { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason: "NotImplemented", code: 501 });
}
