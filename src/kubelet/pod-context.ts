import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { CriRuntime } from "#cri/contract.ts";
import type { Pod, Service } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import type { KubeletOptions, NodeFacts, NodeHost, Prober } from "./contract.ts";
import type { DownwardFacts } from "./field-ref.ts";
import type { ImagePuller } from "./images/image-puller.ts";
import type { ObjectReader } from "./object-reader.ts";
import type { RecordPodEvent } from "./pod-events.ts";
import { currentSandbox, type PodRuntime } from "./pod-runtime.ts";

/** What all pods of the node share. */
export interface NodeContext {
  readonly cri: CriRuntime;
  readonly host: NodeHost;
  readonly prober: Prober;
  readonly clock: Clock;
  readonly log: Log;
  readonly record: RecordPodEvent;
  readonly puller: ImagePuller;
  readonly reader: ObjectReader;
  readonly services: () => readonly Service[];
  readonly facts: NodeFacts;
  /** The node's resolv.conf and hosts file, as they were when the kubelet started. */
  readonly hostResolvConf: string;
  readonly hostsFile: string;
  /** Scheme of container ids. */
  readonly runtimeName: string;
  readonly options: Required<Pick<KubeletOptions, "clusterDns" | "clusterDomain" | "rootDirectory" | "logDirectory" | "cgroupRoot">> &
    Pick<KubeletOptions, "nodeName" | "nodeAddresses">;
}

export function downwardFacts({ facts, options }: NodeContext, pod: Stored<Pod>, runtime: PodRuntime): DownwardFacts {
  const own = pod.spec.hostNetwork === true ? options.nodeAddresses : (currentSandbox(runtime)?.ips ?? []);
  return {
    podIps: own,
    hostIps: options.nodeAddresses,
    allocatable: { cpu: facts.cpus, memoryBytes: facts.memoryBytes, ephemeralStorageBytes: facts.ephemeralStorageBytes },
  };
}
