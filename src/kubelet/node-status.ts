import { formatTime, type Instant } from "#base/clock.ts";
import type { Image } from "#cri/contract.ts";
import type { ContainerImage, Node, NodeCondition, NodeStatus, Taint } from "#machinery/api/core-v1.ts";
import type { NodeFacts, NodePressure } from "./contract.ts";

export interface NodeIdentity {
  readonly nodeName: string;
  readonly hostname: string;
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly maxPods: number;
  /** Of the kubelet's server; undefined: it has none. */
  readonly port: number | undefined;
  readonly kubeletVersion: string;
}

export interface RuntimeHealth {
  readonly name: string;
  readonly version: string;
  /** Why the runtime cannot take pods; undefined: it can. */
  readonly complaint: string | undefined;
}

export interface NodeObserved {
  readonly identity: NodeIdentity;
  readonly facts: NodeFacts;
  readonly pressure: NodePressure;
  readonly runtime: RuntimeHealth;
  readonly images: readonly Image[];
  readonly now: Instant;
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** Upstream's default hard eviction threshold. */
const MEMORY_RESERVE_BYTES = 100 * MIB;
/** Upstream's tenth of the disk, but not more than this: a developer's disk is large and well filled. */
const MAX_DISK_RESERVE_BYTES = 2 * GIB;
const MAX_IMAGES = 50;
const MAX_NAMES_PER_IMAGE = 5;

/** The labels upstream's kubelet puts on its node. */
export function nodeLabels({ hostname, labels }: NodeIdentity, { architecture }: NodeFacts): Readonly<Record<string, string>> {
  return {
    "beta.kubernetes.io/arch": architecture,
    "beta.kubernetes.io/os": "linux",
    "kubernetes.io/arch": architecture,
    "kubernetes.io/hostname": hostname,
    "kubernetes.io/os": "linux",
    ...labels,
  };
}

export function newNode(observed: NodeObserved): Node {
  const { identity, facts } = observed;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name: identity.nodeName,
      labels: nodeLabels(identity, facts),
      annotations: { "volumes.kubernetes.io/controller-managed-attach-detach": "true" },
    },
    spec: identity.taints.length === 0 ? {} : { taints: identity.taints },
    status: computeNodeStatus(observed, undefined),
  };
}

/** The node's status; what others put there is kept. */
export function computeNodeStatus(observed: NodeObserved, previous: NodeStatus | undefined): NodeStatus {
  const { identity, facts, runtime, images } = observed;
  const diskReserve = Math.min(facts.ephemeralStorageBytes / 10, MAX_DISK_RESERVE_BYTES);
  const capacity = {
    cpu: String(facts.cpus),
    "ephemeral-storage": kibibytes(facts.ephemeralStorageBytes),
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
    memory: kibibytes(facts.memoryBytes),
    pods: String(identity.maxPods),
  };
  return {
    ...previous,
    addresses: [
      ...identity.addresses.map((address) => ({ type: "InternalIP" as const, address })),
      { type: "Hostname" as const, address: identity.hostname },
    ],
    capacity,
    allocatable: {
      ...capacity,
      "ephemeral-storage": kibibytes(Math.max(0, facts.ephemeralStorageBytes - diskReserve)),
      memory: kibibytes(Math.max(0, facts.memoryBytes - MEMORY_RESERVE_BYTES)),
    },
    conditions: conditionsOf(observed, previous),
    ...(identity.port === undefined ? {} : { daemonEndpoints: { kubeletEndpoint: { Port: identity.port } } }),
    nodeInfo: {
      machineID: facts.machineId,
      systemUUID: facts.systemUuid,
      bootID: facts.bootId,
      kernelVersion: facts.kernelVersion,
      osImage: facts.osImage,
      containerRuntimeVersion: `${runtime.name}://${runtime.version}`,
      kubeletVersion: identity.kubeletVersion,
      kubeProxyVersion: "",
      operatingSystem: "linux",
      architecture: facts.architecture,
    },
    images: imageList(images),
  };
}

/** Largest first, digests before tags, as upstream lists them. */
function imageList(images: readonly Image[]): readonly ContainerImage[] {
  return images
    .toSorted((a, b) => b.size - a.size || (a.id < b.id ? -1 : 1))
    .slice(0, MAX_IMAGES)
    .map((image) => ({ names: [...image.repoDigests, ...image.repoTags].slice(0, MAX_NAMES_PER_IMAGE), sizeBytes: image.size }))
    .filter((image) => image.names.length > 0);
}

function conditionsOf({ facts, pressure, runtime, now }: NodeObserved, previous: NodeStatus | undefined): readonly NodeCondition[] {
  const lowMemory = pressure.memoryAvailableBytes < MEMORY_RESERVE_BYTES;
  const lowDisk = pressure.diskAvailableBytes < Math.min(pressure.diskCapacityBytes / 10, MAX_DISK_RESERVE_BYTES);
  const lowPids = pressure.pidsUsed > facts.pidMax * 0.9;
  const own: readonly NodeCondition[] = [
    lowMemory
      ? condition("MemoryPressure", true, "KubeletHasInsufficientMemory", "kubelet has insufficient memory available")
      : condition("MemoryPressure", false, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    lowDisk
      ? condition("DiskPressure", true, "KubeletHasDiskPressure", "kubelet has disk pressure")
      : condition("DiskPressure", false, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    lowPids
      ? condition("PIDPressure", true, "KubeletHasInsufficientPID", "kubelet has insufficient PID available")
      : condition("PIDPressure", false, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    runtime.complaint === undefined
      ? condition("Ready", true, "KubeletReady", "kubelet is posting ready status")
      : condition("Ready", false, "KubeletNotReady", runtime.complaint),
  ];
  const known = previous?.conditions ?? [];
  const dated = own.map((each): NodeCondition => {
    const before = known.find((other) => other.type === each.type);
    const lastTransitionTime = before?.status === each.status ? before.lastTransitionTime : undefined;
    return { ...each, lastHeartbeatTime: formatTime(now), lastTransitionTime: lastTransitionTime ?? formatTime(now) };
  });
  return [...known.filter((each) => !own.some((other) => other.type === each.type)), ...dated];
}

function condition(type: string, status: boolean, reason: string, message: string): NodeCondition {
  return { type, status: status ? "True" : "False", reason, message };
}

/** The events upstream records when a condition turns: `Node n1 status is now: NodeReady`. */
export function turnedConditions(before: NodeStatus | undefined, after: NodeStatus): readonly string[] {
  return (after.conditions ?? []).flatMap(({ type, status }) => {
    if (before?.conditions?.find((each) => each.type === type)?.status === status) return [];
    const names = TURNED[type];
    return names === undefined ? [] : [status === "True" ? names[0] : names[1]];
  });
}

const TURNED: Readonly<Record<string, readonly [string, string]>> = {
  MemoryPressure: ["NodeHasInsufficientMemory", "NodeHasSufficientMemory"],
  DiskPressure: ["NodeHasDiskPressure", "NodeHasNoDiskPressure"],
  PIDPressure: ["NodeHasInsufficientPID", "NodeHasSufficientPID"],
  Ready: ["NodeReady", "NodeNotReady"],
};

/** The status without what changes by itself from minute to minute. */
export function withoutHeartbeat(status: NodeStatus): NodeStatus {
  return { ...status, conditions: (status.conditions ?? []).map((each) => ({ ...each, lastHeartbeatTime: "" })) };
}

const kibibytes = (bytes: number) => `${Math.floor(bytes / 1024)}Ki`;
