import type { LinuxContainerResources } from "#cri/contract.ts";
import type { Container, Pod } from "#machinery/api/core-v1.ts";
import { milli, whole } from "./amount.ts";
import { isSidecar } from "./names.ts";

export type QosClass = "Guaranteed" | "Burstable" | "BestEffort";

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ : only cpu and memory count. */
export function qosClassOf(pod: Pod): QosClass {
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  let guaranteed = containers.length > 0;
  let any = false;
  for (const { resources } of containers) {
    for (const name of ["cpu", "memory"] as const) {
      const request = milli(resources?.requests?.[name] ?? resources?.limits?.[name]);
      const limit = milli(resources?.limits?.[name]);
      if (request > 0 || limit > 0) any = true;
      if (limit === 0 || limit !== request) guaranteed = false;
    }
  }
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

/** Below `/kubepods`, Guaranteed pods sit directly, others under their class. */
export function podCgroup(cgroupRoot: string, pod: Pod & { readonly metadata: { readonly uid: string } }): string {
  const qos = qosClassOf(pod);
  return `${cgroupRoot}/kubepods${qos === "Guaranteed" ? "" : `/${qos.toLowerCase()}`}/pod${pod.metadata.uid}`;
}

/** Where the cgroup of a pod of unknown class may be. */
export function podCgroups(cgroupRoot: string, uid: string): readonly string[] {
  return ["", "/burstable", "/besteffort"].map((qos) => `${cgroupRoot}/kubepods${qos}/pod${uid}`);
}

const CRITICAL_PRIORITY = 2_000_000_000;
const GUARANTEED_OOM_SCORE = -997;
const BEST_EFFORT_OOM_SCORE = 1000;

/** The less of the node's memory a burstable container asked for, the sooner it is killed. */
export function oomScoreAdj(pod: Pod, container: Container, memoryCapacity: number): number {
  if ((pod.spec.priority ?? 0) >= CRITICAL_PRIORITY) return GUARANTEED_OOM_SCORE;
  const qos = qosClassOf(pod);
  if (qos === "Guaranteed") return GUARANTEED_OOM_SCORE;
  if (qos === "BestEffort") return BEST_EFFORT_OOM_SCORE;
  const own = burstableScore(container, memoryCapacity);
  if (!(pod.spec.initContainers ?? []).some((init) => init.name === container.name && isSidecar(init))) return own;
  // A sidecar must not be killed before the containers it serves.
  return Math.min(own, ...pod.spec.containers.map((main) => burstableScore(main, memoryCapacity)));
}

function burstableScore({ resources }: Container, memoryCapacity: number): number {
  const request = whole(resources?.requests?.["memory"] ?? resources?.limits?.["memory"]);
  const score = 1000 - Math.trunc((1000 * request) / memoryCapacity);
  if (score < 1000 + GUARANTEED_OOM_SCORE) return 1000 + GUARANTEED_OOM_SCORE;
  return score === BEST_EFFORT_OOM_SCORE ? BEST_EFFORT_OOM_SCORE - 1 : score;
}

const CPU_PERIOD_US = 100_000;
const MIN_SHARES = 2;
const MAX_SHARES = 262_144;
const MIN_QUOTA_US = 1_000;

export function cpuShares(milliCpu: number): number {
  return milliCpu === 0 ? MIN_SHARES : Math.min(MAX_SHARES, Math.max(MIN_SHARES, Math.trunc((milliCpu * 1024) / 1000)));
}

export function cpuQuota(milliCpu: number): number {
  return milliCpu === 0 ? 0 : Math.max(MIN_QUOTA_US, Math.trunc((milliCpu * CPU_PERIOD_US) / 1000));
}

export function linuxResources(pod: Pod, container: Container, memoryCapacity: number): LinuxContainerResources {
  const { requests, limits } = container.resources ?? {};
  const quota = cpuQuota(milli(limits?.["cpu"]));
  const memory = whole(limits?.["memory"]);
  return {
    cpuShares: cpuShares(milli(requests?.["cpu"] ?? limits?.["cpu"])),
    oomScoreAdj: oomScoreAdj(pod, container, memoryCapacity),
    ...(quota === 0 ? {} : { cpuPeriod: CPU_PERIOD_US, cpuQuota: quota }),
    ...(memory === 0 ? {} : { memoryLimitInBytes: memory }),
  };
}

/** What the pod as a whole may use: limits only where every container has one. */
export function podLimits(pod: Pod): { readonly cpuShares: number; readonly cpuQuota?: number; readonly memoryBytes?: number } {
  const containers = [...(pod.spec.initContainers ?? []).filter(isSidecar), ...pod.spec.containers];
  const inits = (pod.spec.initContainers ?? []).filter((init) => !isSidecar(init));
  const total = (pick: (container: Container) => number) =>
    Math.max(
      containers.reduce((sum, each) => sum + pick(each), 0),
      ...inits.map(pick),
      0,
    );
  const all = [...containers, ...inits];
  const request = total((c) => milli(c.resources?.requests?.["cpu"] ?? c.resources?.limits?.["cpu"]));
  const everyCpu = all.every((c) => milli(c.resources?.limits?.["cpu"]) > 0);
  const everyMemory = all.every((c) => whole(c.resources?.limits?.["memory"]) > 0);
  return {
    cpuShares: cpuShares(request),
    ...(everyCpu ? { cpuQuota: cpuQuota(total((c) => milli(c.resources?.limits?.["cpu"]))) } : {}),
    ...(everyMemory ? { memoryBytes: total((c) => whole(c.resources?.limits?.["memory"])) } : {}),
  };
}
