import type { Deployment, ReplicaSet } from "#machinery/api/apps-v1.ts";
import type { Container, Node, Pod, PodSpec, ReplicationController, Service, ServiceSpec, Taint } from "#machinery/api/core-v1.ts";
import type { ObjectMeta, OwnerReference } from "#machinery/api/meta-v1.ts";
import type { StoredMeta } from "#machinery/object.ts";
import type { Stored } from "#machinery/object.ts";

type Labels = Readonly<Record<string, string>>;

export const START = "2030-01-01T00:00:00Z";

/** Metadata as the server completes it; the uid is the name with its kind, so that tests can be read. */
export function meta(kind: string, name: string, more: ObjectMeta = {}): StoredMeta {
  return { name, uid: `${kind}-${name}`, resourceVersion: "1", generation: 1, creationTimestamp: START, ...more };
}

const namespaced = { namespace: "default" } as const;

export interface PodOptions {
  readonly namespace?: string;
  readonly labels?: Labels;
  readonly node?: string;
  readonly ready?: boolean;
  readonly readySince?: string;
  readonly ip?: string;
  readonly phase?: NonNullable<Pod["status"]>["phase"];
  readonly owner?: OwnerReference;
  readonly created?: string;
  readonly deleting?: boolean;
  readonly annotations?: Labels;
  readonly requests?: Readonly<Record<string, string>>;
  readonly spec?: Partial<PodSpec>;
  readonly container?: Partial<Container>;
}

export function pod(name: string, options: PodOptions = {}): Stored<Pod> {
  const {
    namespace = "default",
    labels,
    node,
    ready,
    readySince = START,
    ip,
    owner,
    created,
    deleting,
    annotations,
    requests,
    spec,
    container,
  } = options;
  const phase = options.phase ?? (ready === true ? "Running" : "Pending");
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: meta("pod", name, {
      namespace,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(owner === undefined ? {} : { ownerReferences: [owner] }),
      ...(created === undefined ? {} : { creationTimestamp: created }),
      ...(deleting === true ? { deletionTimestamp: START } : {}),
    }),
    spec: {
      containers: [{ name: "main", ...(requests === undefined ? {} : { resources: { requests } }), ...container }],
      ...(node === undefined ? {} : { nodeName: node }),
      ...spec,
    },
    status: {
      phase,
      ...(ready === undefined ? {} : { conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: readySince }] }),
      ...(ip === undefined ? {} : { podIP: ip, podIPs: [{ ip }] }),
    },
  };
}

export interface NodeOptions {
  readonly labels?: Labels;
  readonly taints?: readonly Taint[];
  readonly allocatable?: Readonly<Record<string, string>>;
  readonly ready?: "True" | "False" | "Unknown";
  readonly unschedulable?: boolean;
}

export function node(name: string, options: NodeOptions = {}): Stored<Node> {
  const { labels, taints, allocatable, ready = "True", unschedulable } = options;
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: meta("node", name, { labels: { "kubernetes.io/hostname": name, ...labels } }),
    spec: { ...(taints === undefined ? {} : { taints }), ...(unschedulable === undefined ? {} : { unschedulable }) },
    status: {
      allocatable: { cpu: "4", memory: "8Gi", pods: "110", ...allocatable },
      conditions: [{ type: "Ready", status: ready, lastTransitionTime: START, lastHeartbeatTime: START }],
    },
  };
}

export function service(name: string, spec: ServiceSpec = {}, labels?: Labels): Stored<Service> {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: meta("service", name, { ...namespaced, ...(labels === undefined ? {} : { labels }) }),
    spec: {
      type: "ClusterIP",
      clusterIP: "172.30.0.41",
      ipFamilies: ["IPv4"],
      selector: { app: name },
      ports: [{ port: 80, targetPort: 8080, protocol: "TCP" }],
      ...spec,
    },
  };
}

export function replicationController(name: string, spec: Partial<ReplicationController["spec"]> = {}): Stored<ReplicationController> {
  const labels = { app: name };
  return {
    apiVersion: "v1",
    kind: "ReplicationController",
    metadata: meta("replicationcontroller", name, namespaced),
    spec: { replicas: 1, selector: labels, template: { metadata: { labels }, spec: { containers: [{ name: "main" }] } }, ...spec },
  };
}

export function replicaSet(name: string, spec: Partial<ReplicaSet["spec"]> = {}, more: Partial<ReplicaSet> = {}): Stored<ReplicaSet> {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    ...more,
    metadata: meta("replicaset", name, { ...namespaced, ...more.metadata }),
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "main" }] } },
      ...spec,
    },
  };
}

export function deployment(name: string, spec: Partial<Deployment["spec"]> = {}, more: Partial<Deployment> = {}): Stored<Deployment> {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    ...more,
    metadata: meta("deployment", name, { ...namespaced, ...more.metadata }),
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "main", image: "v1" }] } },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      ...spec,
    },
  };
}
