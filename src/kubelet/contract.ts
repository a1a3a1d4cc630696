import type { Clock } from "#base/clock.ts";
import type { Entropy } from "#base/entropy.ts";
import type { Log } from "#base/log.ts";
import type { Client, EventRecorder, InformerFactory } from "#client/contract.ts";
import type { CriRuntime } from "#cri/contract.ts";
import type { Pod, Taint } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import type { PodRuntime } from "./pod-runtime.ts";

export interface KubeletDeps {
  readonly client: Client;
  /** Run by the owner; the kubelet asks it for the node's pods, the node itself and all Services. */
  readonly informers: InformerFactory;
  readonly cri: CriRuntime;
  /** Records with source component "kubelet" and this node's name as host. */
  readonly events: EventRecorder;
  readonly host: NodeHost;
  readonly prober: Prober;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Serves the node's HTTPS port until `signal` aborts; absent where a node has none (simulation). */
  readonly serve?: (view: KubeletView, signal: AbortSignal) => Promise<void>;
}

export interface KubeletOptions {
  readonly nodeName: string;
  /** The first is status.hostIP. */
  readonly nodeAddresses: readonly string[];
  /** @default nodeName */
  readonly hostname?: string;
  /** @default "10.43.0.10" */
  readonly clusterDns?: string;
  /** @default "cluster.local" */
  readonly clusterDomain?: string;
  /** Holds pods' volumes, /etc/hosts and termination messages: upstream's --root-dir. */
  readonly rootDirectory: string;
  /** Holds `<namespace>_<pod>_<uid>/<container>/<n>.log`: upstream's /var/log/pods. */
  readonly logDirectory: string;
  /** Parent of `kubepods`, with leading slash, no trailing one: `/navarch-dev/node-1`. "" is the root. */
  readonly cgroupRoot: string;
  /** @default 110 */
  readonly maxPods?: number;
  /** Port that serves logs and exec; announced in the Node. @default 10250 */
  readonly port?: number;
  readonly nodeLabels?: Readonly<Record<string, string>>;
  readonly nodeTaints?: readonly Taint[];
  /** @default "v1.36.0+navarch" */
  readonly kubeletVersion?: string;
  /** @default 10 MiB */
  readonly containerLogMaxBytes?: number;
  /** Files kept per container, the current one among them. @default 5 */
  readonly containerLogMaxFiles?: number;
  /** How often the runtime is listed. @default 1000 */
  readonly relistEveryMs?: number;
}

/** What the node's server may see and do; all answers come from memory. */
export interface KubeletView {
  /** The pods bound to this node, with the status this kubelet last computed. */
  pods(): readonly Stored<Pod>[];
  pod(namespace: string, name: string): Stored<Pod> | undefined;
  runtime(uid: string): PodRuntime | undefined;
  /** Absolute path of the log of attempt `restartCount` of a container. */
  logPath(pod: Stored<Pod>, container: string, restartCount: number): string;
  readonly cri: CriRuntime;
  readonly nodeName: string;
}

export interface NodeFacts {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly ephemeralStorageBytes: number;
  /** "x64" of Node is "amd64" here. */
  readonly architecture: string;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly machineId: string;
  readonly systemUuid: string;
  readonly bootId: string;
  readonly pidMax: number;
}

export interface NodePressure {
  readonly memoryAvailableBytes: number;
  readonly diskAvailableBytes: number;
  readonly diskCapacityBytes: number;
  readonly pidsUsed: number;
}

/** The machine under the kubelet: facts, files, mounts, cgroups. A simulated one keeps nothing. */
export interface NodeHost {
  facts(signal: AbortSignal): Promise<NodeFacts>;
  pressure(signal: AbortSignal): Promise<NodePressure>;
  /** The machine's resolv.conf, as pods with dnsPolicy Default get it. */
  resolvConf(signal: AbortSignal): Promise<string>;
  /** Makes the directory and its parents, mode 0755. */
  makeDirectory(path: string, signal: AbortSignal): Promise<void>;
  /** Replaces the content in place: the file may be bind-mounted into containers. Default mode 0644. */
  writeFile(path: string, content: string, options: { readonly mode?: number; readonly signal: AbortSignal }): Promise<void>;
  /** At most the last `maxBytes`; undefined when there is no such file. */
  readTail(path: string, maxBytes: number, signal: AbortSignal): Promise<string | undefined>;
  /** undefined when it is not there. */
  fileSize(path: string): Promise<number | undefined>;
  rename(from: string, to: string): Promise<void>;
  list(directory: string): Promise<readonly string[]>;
  /** Files and directories, never through a mount point: what is mounted below is unmounted first. */
  removeTree(path: string, signal: AbortSignal): Promise<void>;
  readonly volumes: VolumeHost;
  readonly cgroups: CgroupHost;
}

export interface CgroupHost {
  /** Makes the pod's cgroup and sets what the pod as a whole may use. */
  apply(path: string, limits: { readonly cpuShares: number; readonly cpuQuota?: number; readonly memoryBytes?: number }): Promise<void>;
  /** Removes the cgroup and those below it; processes must be gone. Succeeds when there is none. */
  remove(path: string, signal: AbortSignal): Promise<void>;
}

/** One file of a configMap, secret, downwardAPI or projected volume. */
export interface ProjectedFile {
  readonly path: string;
  readonly content: Uint8Array;
  readonly mode: number;
  /** Owner of the file; undefined: root. */
  readonly uid?: number;
}

export interface VolumeHost {
  emptyDirectory(
    path: string,
    options: { readonly medium: "disk" | "memory"; readonly sizeBytes?: number; readonly fsGroup?: number; readonly signal: AbortSignal },
  ): Promise<void>;
  /** Makes the directory hold exactly these files, switching all of them at once through a `..data` link. */
  project(
    path: string,
    files: readonly ProjectedFile[],
    options: { readonly fsGroup?: number; readonly inMemory: boolean; readonly signal: AbortSignal },
  ): Promise<void>;
  /** Checks and, for the OrCreate types, makes what a hostPath volume names. Resolves with upstream's complaint, or undefined. */
  hostPath(path: string, type: string): Promise<string | undefined>;
  /**
   * A path that shows `subPath` of `volume`, which is made as a directory when missing and is never outside of the volume,
   * whatever a container does to the volume meanwhile. `target` is where it may be mounted.
   */
  subPath(
    volume: string,
    subPath: string,
    options: { readonly target: string; readonly fsGroup?: number; readonly signal: AbortSignal },
  ): Promise<string>;
}

/** The network side of probes and HTTP hooks. "error" is a probe that could not be carried out. */
export interface Prober {
  http(request: HttpProbe, options: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<ProbeAnswer>;
  tcp(
    target: { readonly host: string; readonly port: number },
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<ProbeAnswer>;
  /** grpc.health.v1.Health/Check. */
  grpc(
    target: { readonly host: string; readonly port: number; readonly service: string },
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<ProbeAnswer>;
}

export interface HttpProbe {
  readonly scheme: "HTTP" | "HTTPS";
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
}

export interface ProbeAnswer {
  readonly outcome: "success" | "warning" | "failure" | "error";
  /** Upstream's text, as shown in Unhealthy events. */
  readonly output: string;
}
