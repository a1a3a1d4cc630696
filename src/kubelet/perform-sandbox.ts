import type { PodSandboxConfig } from "#cri/contract.ts";
import { CriError, formatRpcError } from "#cri/error.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { computeDnsConfig } from "./dns-config.ts";
import { formatPod, namespaceOf, podDirectory, podLogDirectory } from "./names.ts";
import type { NodeContext } from "./pod-context.ts";
import { podCgroup, podLimits } from "./resources.ts";
import { sandboxConfig } from "./sandbox-config.ts";

export function sandboxConfigOf({ options, hostResolvConf }: NodeContext, pod: Stored<Pod>, attempt: number): PodSandboxConfig {
  const { clusterDns, clusterDomain, logDirectory, cgroupRoot } = options;
  const dns = computeDnsConfig(pod, { clusterDns, clusterDomain, hostResolvConf });
  return sandboxConfig(pod, { attempt, dns, clusterDomain, logDirectory, cgroupRoot });
}

/** Makes directories, cgroup and sandbox. undefined: done; otherwise why not, already told as an event. */
export async function runSandbox(
  context: NodeContext,
  pod: Stored<Pod>,
  attempt: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { cri, host, options, record } = context;
  const { uid, name } = pod.metadata;
  await host.makeDirectory(podLogDirectory(options.logDirectory, { namespace: namespaceOf(pod), name, uid }), signal);
  await host.makeDirectory(podDirectory(options.rootDirectory, uid), signal);
  await host.cgroups.apply(podCgroup(options.cgroupRoot, pod), podLimits(pod));
  try {
    const runtimeClass = pod.spec.runtimeClassName === undefined ? {} : { runtimeHandler: pod.spec.runtimeClassName };
    await cri.runPodSandbox({ config: sandboxConfigOf(context, pod, attempt), ...runtimeClass }, { signal });
    return undefined;
  } catch (cause) {
    if (signal.aborted || !(cause instanceof CriError)) throw cause;
    const why = formatRpcError(cause);
    record(pod, undefined, "Warning", "FailedCreatePodSandBox", `Failed to create pod sandbox: ${why}`);
    return `failed to create sandbox for pod "${formatPod(pod)}": ${why}`;
  }
}
