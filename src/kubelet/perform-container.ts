import type { Device, Mount } from "#cri/contract.ts";
import { CriError } from "#cri/error.ts";
import type { ConfigMap, Container, Pod, Secret } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import type { Instant } from "#base/clock.ts";
import { containerConfig } from "./container-config.ts";
import { computeEnv, type EnvAnswer, envNeeds } from "./env.ts";
import { linkSignals } from "./linked-signal.ts";
import { runHook } from "./hooks.ts";
import { renderHostNetworkHostsFile, renderHostsFile } from "./hosts-file.ts";
import { namespaceOf, podDirectory, podLogDirectory } from "./names.ts";
import { sandboxConfigOf } from "./perform-sandbox.ts";
import type { PodAction, Waiting } from "./plan.ts";
import { downwardFacts, type NodeContext } from "./pod-context.ts";
import { type PodRuntime, readySandbox, type RuntimeContainer } from "./pod-runtime.ts";
import { refuseRoot } from "./security-context.ts";
import { containerMounts } from "./volumes/container-mounts.ts";

export type StartAnswer =
  | { readonly ok: true; readonly containerId: string }
  | ({ readonly ok: false; readonly retryAt: Instant } & Waiting);

/** Upstream looks again at a pod that could not be started after about this long. */
const RETRY_MS = 10_000;
/** What is left for SIGTERM however long the preStop hook took. */
const MINIMUM_GRACE_SECONDS = 2;

export function terminationLogPath(rootDirectory: string, uid: string, container: string, restartCount: number): string {
  return `${podDirectory(rootDirectory, uid)}/containers/${container}/${restartCount}`;
}

/** Image, configuration, creation, start, postStart; every step tells what it did or why it could not as an event. */
export async function startContainer(
  context: NodeContext,
  pod: Stored<Pod>,
  runtime: PodRuntime,
  options: {
    readonly action: Extract<PodAction, { do: "start" }>;
    /** Volumes by name. */
    readonly paths: ReadonlyMap<string, string>;
    /** For calls that must not be given up half way, other than at the kubelet's own end. */
    readonly outer: AbortSignal;
  },
  signal: AbortSignal,
): Promise<StartAnswer> {
  const { action, paths, outer } = options;
  const { cri, clock, record, puller, host } = context;
  const { container, type, restartCount } = action;
  const failed = (reason: string, message: string, eventText = message): StartAnswer => {
    record(pod, container, "Warning", "Failed", `Error: ${eventText}`);
    return { ok: false, reason, message, retryAt: clock.now() + RETRY_MS };
  };
  const sandbox = readySandbox(runtime);
  if (sandbox === undefined) return { ok: false, reason: "ContainerCreating", message: "", retryAt: clock.now() };

  const pulled = await puller.ensure(pod, container, signal);
  if (!pulled.ok) {
    record(pod, container, "Warning", "Failed", `Error: ${pulled.reason}`);
    return pulled;
  }
  const { image } = pulled;
  const user = { uid: image.uid, username: image.username };
  const refusal = refuseRoot(pod, container, user);
  if (refusal !== undefined) return failed("CreateContainerConfigError", refusal);
  const env = await environment(context, pod, container, runtime, signal);
  if (!env.ok) return failed("CreateContainerConfigError", env.message);
  const volumeMounts = await containerMounts(
    host.volumes,
    {
      pod,
      container,
      paths,
      env: env.env,
      subPathDirectory: `${podDirectory(context.options.rootDirectory, pod.metadata.uid)}/volume-subpaths`,
    },
    signal,
  );
  if (!volumeMounts.ok) return failed("CreateContainerConfigError", volumeMounts.message);

  const { uid, name } = pod.metadata;
  const logs = podLogDirectory(context.options.logDirectory, { namespace: namespaceOf(pod), name, uid });
  await host.makeDirectory(`${logs}/${container.name}`, signal);
  const ownMounts = await managedFiles(context, pod, container, sandbox.ips, restartCount, signal);
  const config = containerConfig(pod, container, {
    type,
    restartCount,
    imageRef: image.id,
    image: user,
    env: env.env,
    mounts: [...volumeMounts.mounts, ...ownMounts],
    devices: devicesOf(container, paths),
    memoryCapacity: context.facts.memoryBytes,
    ...targetOf(pod, container, runtime),
  });

  let containerId: string;
  try {
    containerId = await cri.createContainer(
      { podSandboxId: sandbox.id, config, sandboxConfig: sandboxConfigOf(context, pod, sandbox.attempt) },
      { signal: outer },
    );
  } catch (cause) {
    if (outer.aborted || !(cause instanceof CriError)) throw cause;
    return failed("CreateContainerError", cause.details);
  }
  record(pod, container, "Normal", "Created", `Created container: ${container.name}`);
  try {
    await cri.startContainer(containerId, { signal: outer });
  } catch (cause) {
    if (outer.aborted || !(cause instanceof CriError)) throw cause;
    return failed("RunContainerError", cause.details);
  }
  record(pod, container, "Normal", "Started", `Started container ${container.name}`);

  const hook = container.lifecycle?.postStart;
  if (hook === undefined) return { ok: true, containerId };
  const podIp = sandbox.ips[0] ?? context.options.nodeAddresses[0] ?? "";
  const complaint = await runHook(context, hook, { container, containerId, podIp }, signal);
  if (complaint === undefined || signal.aborted) return { ok: true, containerId };
  record(pod, container, "Warning", "FailedPostStartHook", "PostStartHook failed");
  record(pod, container, "Normal", "Killing", "FailedPostStartHook");
  await cri.stopContainer({ containerId, timeoutSeconds: gracePeriodOf(pod) }, { signal });
  return { ok: false, reason: "PostStartHookError", message: complaint, retryAt: clock.now() };
}

async function environment(
  context: NodeContext,
  pod: Stored<Pod>,
  container: Container,
  runtime: PodRuntime,
  signal: AbortSignal,
): Promise<EnvAnswer> {
  const { reader, services } = context;
  const namespace = namespaceOf(pod);
  const needs = envNeeds(container);
  const configMaps = new Map<string, ConfigMap | undefined>();
  const secrets = new Map<string, Secret | undefined>();
  await Promise.all([
    ...needs.configMaps.map(async (name) => configMaps.set(name, await reader.configMap(namespace, name, signal))),
    ...needs.secrets.map(async (name) => secrets.set(name, await reader.secret(namespace, name, signal))),
  ]);
  return computeEnv(pod, container, { services: services(), configMaps, secrets, facts: downwardFacts(context, pod, runtime) });
}

/** /etc/hosts and the termination message. */
async function managedFiles(
  { host, options, hostsFile }: NodeContext,
  pod: Stored<Pod>,
  container: Container,
  podIps: readonly string[],
  restartCount: number,
  signal: AbortSignal,
): Promise<readonly Mount[]> {
  const { uid } = pod.metadata;
  const taken = new Set((container.volumeMounts ?? []).map((mount) => mount.mountPath.replace(/(.)\/$/, "$1")));
  const mounts: Mount[] = [];
  if (!taken.has("/etc/hosts")) {
    const path = `${podDirectory(options.rootDirectory, uid)}/etc-hosts`;
    const content =
      pod.spec.hostNetwork === true ? renderHostNetworkHostsFile(pod, hostsFile) : renderHostsFile(pod, podIps, options.clusterDomain);
    await host.writeFile(path, content, { signal });
    mounts.push({ containerPath: "/etc/hosts", hostPath: path, readonly: container.securityContext?.readOnlyRootFilesystem === true });
  }
  const messagePath = container.terminationMessagePath ?? "/dev/termination-log";
  if (messagePath !== "" && !taken.has(messagePath)) {
    const path = terminationLogPath(options.rootDirectory, uid, container.name, restartCount);
    await host.writeFile(path, "", { mode: 0o666, signal });
    mounts.push({ containerPath: messagePath, hostPath: path });
  }
  return mounts;
}

/** Whose processes an ephemeral container sees, where it names one. */
function targetOf(pod: Pod, { name }: Container, runtime: PodRuntime): { readonly targetId?: string } {
  const targetName = (pod.spec.ephemeralContainers ?? []).find((each) => each.name === name)?.targetContainerName;
  const target = runtime.containers.find((each) => each.name === targetName && each.state === "running");
  return target === undefined ? {} : { targetId: target.id };
}

function devicesOf(container: Container, paths: ReadonlyMap<string, string>): readonly Device[] {
  return (container.volumeDevices ?? []).flatMap(({ name, devicePath }) => {
    const hostPath = paths.get(name);
    return hostPath === undefined ? [] : [{ containerPath: devicePath, hostPath, permissions: "mrw" }];
  });
}

/** Seconds from SIGTERM, or from the start of the preStop hook, to SIGKILL; never less than one. */
export function gracePeriodOf({ metadata, spec }: Pod): number {
  return Math.max(1, metadata.deletionGracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30);
}

/** preStop, SIGTERM, and SIGKILL when `graceSeconds` are over. Resolves when the container has ended. */
export async function killContainer(
  context: NodeContext,
  pod: Stored<Pod> | undefined,
  target: RuntimeContainer,
  options: {
    readonly message: string;
    readonly graceSeconds: number;
    readonly podIp: string;
    /** Its end has begun before: it was told of, and the hook has had its chance. */
    readonly again?: boolean;
  },
  signal: AbortSignal,
): Promise<void> {
  const { cri, clock, record } = context;
  const { message, graceSeconds, podIp, again = false } = options;
  const container = [...(pod?.spec.initContainers ?? []), ...(pod?.spec.containers ?? [])].find((each) => each.name === target.name);
  if (pod !== undefined && !again) {
    record(pod, container ?? { name: target.name }, "Normal", "Killing", message === "" ? `Stopping container ${target.name}` : message);
  }
  let left = graceSeconds;
  const hook = container?.lifecycle?.preStop;
  if (pod !== undefined && container !== undefined && hook !== undefined && !again && target.state === "running") {
    const began = clock.now();
    const over = new AbortController();
    using link = linkSignals(signal, over.signal);
    const complaint = await Promise.race([
      runHook(context, hook, { container, containerId: target.id, podIp }, link.signal),
      clock.sleep(graceSeconds * 1000, link.signal).then(() => undefined),
    ]);
    over.abort();
    if (complaint !== undefined && !signal.aborted) record(pod, container, "Warning", "FailedPreStopHook", "PreStopHook failed");
    left = Math.max(MINIMUM_GRACE_SECONDS, Math.ceil(graceSeconds - (clock.now() - began) / 1000));
  }
  await cri.stopContainer({ containerId: target.id, timeoutSeconds: left }, { signal });
}
