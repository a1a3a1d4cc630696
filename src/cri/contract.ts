import type { Instant } from "#base/clock.ts";

/**
 * The Container Runtime Interface, v1, as far as Navarch uses it: one method per RPC, messages with the field names of the
 * API in camel case.
 *
 * C1. Absent messages are absent properties; scalars, lists and maps of an answer are always there, with their zero value.
 * C2. Points in time are milliseconds since the epoch (fractions kept as far as a double holds them), 0 where not set;
 *     64-bit integers are numbers; the wrappers Int64Value and UInt64Value are plain numbers; enums are their names.
 * C3. A call that fails throws CriError; a call aborted by `signal` throws CriError with code "Cancelled".
 * C4. Stop and Remove calls of what is already stopped or gone succeed. Status calls of what is gone throw "NotFound".
 */
export interface CriRuntime {
  version(options: CallOptions): Promise<RuntimeVersion>;
  status(request: { readonly verbose?: boolean }, options: CallOptions): Promise<RuntimeStatusAnswer>;
  updateRuntimeConfig(
    request: { readonly runtimeConfig: { readonly networkConfig: { readonly podCidr: string } } },
    options: CallOptions,
  ): Promise<void>;

  /** Makes the sandbox with its network; returns its id. */
  runPodSandbox(request: { readonly config: PodSandboxConfig; readonly runtimeHandler?: string }, options: CallOptions): Promise<string>;
  /** Kills what runs in it and takes its network down. */
  stopPodSandbox(podSandboxId: string, options: CallOptions): Promise<void>;
  /** Removes the sandbox and all its containers, by force. */
  removePodSandbox(podSandboxId: string, options: CallOptions): Promise<void>;
  podSandboxStatus(podSandboxId: string, options: CallOptions): Promise<PodSandboxStatus>;
  listPodSandbox(filter: PodSandboxFilter, options: CallOptions): Promise<readonly PodSandbox[]>;

  /** Returns the container's id. */
  createContainer(request: CreateContainerRequest, options: CallOptions): Promise<string>;
  startContainer(containerId: string, options: CallOptions): Promise<void>;
  /** SIGTERM (or the image's stop signal), then SIGKILL after `timeoutSeconds`; resolves when it has exited. */
  stopContainer(request: { readonly containerId: string; readonly timeoutSeconds: number }, options: CallOptions): Promise<void>;
  removeContainer(containerId: string, options: CallOptions): Promise<void>;
  listContainers(filter: ContainerFilter, options: CallOptions): Promise<readonly Container[]>;
  containerStatus(containerId: string, options: CallOptions): Promise<ContainerStatus>;
  /** As containerStatus, with the runtime's own verbose facts (containerd: `info.info` is JSON with pid, runtimeSpec, ...). */
  verboseContainerStatus(
    containerId: string,
    options: CallOptions,
  ): Promise<{ readonly status: ContainerStatus; readonly info: Readonly<Record<string, string>> }>;
  updateContainerResources(
    request: { readonly containerId: string; readonly linux: LinuxContainerResources },
    options: CallOptions,
  ): Promise<void>;
  /** The runtime opens the log file anew: called after it was renamed. */
  reopenContainerLog(containerId: string, options: CallOptions): Promise<void>;

  /** Runs to the end. `timeoutSeconds` 0 is no limit; when it passes the call throws "DeadlineExceeded". */
  execSync(
    request: { readonly containerId: string; readonly cmd: readonly string[]; readonly timeoutSeconds: number },
    options: CallOptions,
  ): Promise<ExecSyncResult>;
  /** These three return the URL of the runtime's streaming server (SPDY remotecommand / portforward). */
  exec(request: ExecRequest, options: CallOptions): Promise<string>;
  attach(request: AttachRequest, options: CallOptions): Promise<string>;
  portForward(request: { readonly podSandboxId: string; readonly port: readonly number[] }, options: CallOptions): Promise<string>;

  containerStats(containerId: string, options: CallOptions): Promise<ContainerStats>;
  listContainerStats(filter: ContainerStatsFilter, options: CallOptions): Promise<readonly ContainerStats[]>;

  listImages(filter: { readonly image?: ImageSpec }, options: CallOptions): Promise<readonly Image[]>;
  /** undefined: the image is not there. */
  imageStatus(image: ImageSpec, options: CallOptions): Promise<Image | undefined>;
  /** Returns the image's reference for use in createContainer. */
  pullImage(request: PullImageRequest, options: CallOptions): Promise<string>;
  removeImage(image: ImageSpec, options: CallOptions): Promise<void>;
  imageFsInfo(options: CallOptions): Promise<readonly FilesystemUsage[]>;
}

export interface CallOptions {
  readonly signal: AbortSignal;
  /** After this the call throws "DeadlineExceeded". Default: the client's own limit for the call. */
  readonly timeoutMs?: number;
}

type Strings = Readonly<Record<string, string>>;

export interface RuntimeVersion {
  /** Version of the kubelet runtime API: "0.1.0". */
  readonly version: string;
  /** "containerd", or "navarch-simulated". */
  readonly runtimeName: string;
  readonly runtimeVersion: string;
  readonly runtimeApiVersion: string;
}

export interface RuntimeStatusAnswer {
  readonly status: { readonly conditions: readonly RuntimeCondition[] };
  readonly info: Strings;
}

/** "RuntimeReady" and "NetworkReady" are always there. */
export interface RuntimeCondition {
  readonly type: string;
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

export interface PodSandboxMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  /** Counts the sandboxes of one pod, from 0. */
  readonly attempt: number;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface PortMapping {
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp?: string;
}

export type NamespaceMode = "POD" | "CONTAINER" | "NODE" | "TARGET";

export interface NamespaceOption {
  readonly network: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly ipc: NamespaceMode;
  readonly targetId?: string;
}

export interface SecurityProfile {
  readonly profileType: "RuntimeDefault" | "Unconfined" | "Localhost";
  readonly localhostRef?: string;
}

export interface SeLinuxOption {
  readonly user?: string;
  readonly role?: string;
  readonly type?: string;
  readonly level?: string;
}

export interface LinuxSandboxSecurityContext {
  readonly namespaceOptions?: NamespaceOption;
  readonly selinuxOptions?: SeLinuxOption;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly readonlyRootfs?: boolean;
  readonly supplementalGroups?: readonly number[];
  readonly privileged?: boolean;
  readonly seccomp?: SecurityProfile;
  readonly apparmor?: SecurityProfile;
}

export interface LinuxPodSandboxConfig {
  readonly cgroupParent?: string;
  readonly securityContext?: LinuxSandboxSecurityContext;
  readonly sysctls?: Strings;
}

export interface PodSandboxConfig {
  readonly metadata: PodSandboxMetadata;
  readonly hostname?: string;
  /** Directory on the host of the containers' log files. */
  readonly logDirectory?: string;
  /** Absent: the host's resolv.conf. */
  readonly dnsConfig?: DnsConfig;
  readonly portMappings?: readonly PortMapping[];
  readonly labels?: Strings;
  readonly annotations?: Strings;
  readonly linux?: LinuxPodSandboxConfig;
}

export type PodSandboxState = "SANDBOX_READY" | "SANDBOX_NOTREADY";

export interface PodSandbox {
  readonly id: string;
  readonly metadata: PodSandboxMetadata;
  readonly state: PodSandboxState;
  readonly createdAt: Instant;
  readonly labels: Strings;
  readonly annotations: Strings;
  readonly runtimeHandler: string;
}

export interface PodSandboxStatus extends PodSandbox {
  /** `ip` is empty for a sandbox on the host's network and for one whose network is down. */
  readonly network?: { readonly ip: string; readonly additionalIps: readonly { readonly ip: string }[] };
}

export interface PodSandboxFilter {
  readonly id?: string;
  readonly state?: { readonly state: PodSandboxState };
  readonly labelSelector?: Strings;
}

export interface ImageSpec {
  /** Name or id. */
  readonly image: string;
  readonly annotations?: Strings;
  readonly userSpecifiedImage?: string;
}

export interface ContainerMetadata {
  readonly name: string;
  /** Counts the restarts. */
  readonly attempt: number;
}

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly?: boolean;
  readonly selinuxRelabel?: boolean;
  readonly propagation?: "PROPAGATION_PRIVATE" | "PROPAGATION_HOST_TO_CONTAINER" | "PROPAGATION_BIDIRECTIONAL";
}

export interface Device {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly permissions: string;
}

export interface LinuxContainerResources {
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpuShares?: number;
  readonly memoryLimitInBytes?: number;
  readonly oomScoreAdj?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
  readonly unified?: Strings;
  readonly memorySwapLimitInBytes?: number;
}

export interface LinuxContainerSecurityContext {
  readonly capabilities?: { readonly addCapabilities: readonly string[]; readonly dropCapabilities: readonly string[] };
  readonly privileged?: boolean;
  readonly namespaceOptions?: NamespaceOption;
  readonly selinuxOptions?: SeLinuxOption;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsUsername?: string;
  readonly readonlyRootfs?: boolean;
  readonly supplementalGroups?: readonly number[];
  readonly noNewPrivs?: boolean;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly seccomp?: SecurityProfile;
  readonly apparmor?: SecurityProfile;
}

export interface ContainerConfig {
  readonly metadata: ContainerMetadata;
  readonly image: ImageSpec;
  /** Replaces the image's entrypoint when not empty. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly workingDir?: string;
  readonly envs?: readonly { readonly key: string; readonly value: string }[];
  readonly mounts?: readonly Mount[];
  readonly devices?: readonly Device[];
  readonly labels?: Strings;
  readonly annotations?: Strings;
  /** Relative to the sandbox's log directory. */
  readonly logPath?: string;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly tty?: boolean;
  readonly linux?: { readonly resources?: LinuxContainerResources; readonly securityContext?: LinuxContainerSecurityContext };
}

export interface CreateContainerRequest {
  readonly podSandboxId: string;
  readonly config: ContainerConfig;
  /** As it was given to runPodSandbox. */
  readonly sandboxConfig: PodSandboxConfig;
}

export type ContainerState = "CONTAINER_CREATED" | "CONTAINER_RUNNING" | "CONTAINER_EXITED" | "CONTAINER_UNKNOWN";

export interface Container {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: ContainerMetadata;
  readonly image?: ImageSpec;
  /** Id or digest of the image. */
  readonly imageRef: string;
  readonly state: ContainerState;
  readonly createdAt: Instant;
  readonly labels: Strings;
  readonly annotations: Strings;
}

export interface ContainerFilter {
  readonly id?: string;
  readonly state?: { readonly state: ContainerState };
  readonly podSandboxId?: string;
  readonly labelSelector?: Strings;
}

export interface ContainerStatus {
  readonly id: string;
  readonly metadata: ContainerMetadata;
  readonly state: ContainerState;
  readonly createdAt: Instant;
  readonly startedAt: Instant;
  readonly finishedAt: Instant;
  readonly exitCode: number;
  readonly image?: ImageSpec;
  readonly imageRef: string;
  /** "Completed", "Error", "OOMKilled", "ContainerCannotRun"... */
  readonly reason: string;
  readonly message: string;
  readonly labels: Strings;
  readonly annotations: Strings;
  readonly mounts: readonly Mount[];
  /** Absolute path of the log file. */
  readonly logPath: string;
  readonly resources?: { readonly linux?: LinuxContainerResources };
  /** Empty where the runtime is older than the field (containerd 1.6). */
  readonly imageId: string;
}

export interface ExecSyncResult {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

export interface ExecRequest {
  readonly containerId: string;
  readonly cmd: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export type AttachRequest = Omit<ExecRequest, "cmd">;

export interface ContainerStatsFilter {
  readonly id?: string;
  readonly podSandboxId?: string;
  readonly labelSelector?: Strings;
}

export interface ContainerStats {
  readonly attributes: {
    readonly id: string;
    readonly metadata: ContainerMetadata;
    readonly labels: Strings;
    readonly annotations: Strings;
  };
  readonly cpu?: { readonly timestamp: Instant; readonly usageCoreNanoSeconds?: number; readonly usageNanoCores?: number };
  readonly memory?: {
    readonly timestamp: Instant;
    readonly workingSetBytes?: number;
    readonly availableBytes?: number;
    readonly usageBytes?: number;
    readonly rssBytes?: number;
    readonly pageFaults?: number;
    readonly majorPageFaults?: number;
  };
  readonly writableLayer?: FilesystemUsage;
}

export interface FilesystemUsage {
  readonly timestamp: Instant;
  readonly fsId?: { readonly mountpoint: string };
  readonly usedBytes?: number;
  readonly inodesUsed?: number;
}

export interface Image {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: number;
  /** The numeric user the image wants to run as. */
  readonly uid?: number;
  /** The named user the image wants to run as. */
  readonly username: string;
  readonly pinned: boolean;
}

export interface PullImageRequest {
  readonly image: ImageSpec;
  readonly auth?: {
    readonly username?: string;
    readonly password?: string;
    readonly auth?: string;
    readonly serverAddress?: string;
    readonly identityToken?: string;
    readonly registryToken?: string;
  };
  readonly sandboxConfig?: PodSandboxConfig;
}
