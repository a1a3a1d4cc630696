import { describe, expect, test } from "vitest";
import { ControllerRevisionKind } from "./apps/controller-revision.ts";
import { DaemonSetKind } from "./apps/daemon-set.ts";
import { DeploymentKind } from "./apps/deployment.ts";
import { HorizontalPodAutoscalerKind } from "./autoscaling/horizontal-pod-autoscaler.ts";
import { CronJobKind } from "./batch/cron-job.ts";
import { JobKind } from "./batch/job.ts";
import { CertificateSigningRequestKind } from "./certificates/certificate-signing-request.ts";
import { EndpointsKind } from "./core/endpoints.ts";
import { EventKind } from "./core/event.ts";
import { LimitRangeKind } from "./core/limit-range.ts";
import { NodeKind } from "./core/node.ts";
import { PersistentVolumeClaimKind } from "./core/persistent-volume-claim.ts";
import { PodKind } from "./core/pod.ts";
import { ResourceQuotaKind } from "./core/resource-quota.ts";
import { SecretKind } from "./core/secret.ts";
import { ServiceKind } from "./core/service.ts";
import { EndpointSliceKind } from "./discovery/endpoint-slice.ts";
import { EventV1Kind } from "./events/event.ts";
import { erased, type Kind } from "./kind.ts";
import { type Body, decodedAs } from "./kind-testing.ts";
import { IngressKind } from "./networking/ingress.ts";
import { IPAddressKind } from "./networking/ip-address.ts";
import { PodDisruptionBudgetKind } from "./policy/pod-disruption-budget.ts";
import { RoleBindingKind } from "./rbac/role-binding.ts";
import { PriorityClassKind } from "./scheduling/priority-class.ts";
import { StorageClassKind } from "./storage/storage-class.ts";

const NOW = Date.parse("2030-01-06T00:00:00Z");
const metadata = { name: "a", namespace: "default", creationTimestamp: "2030-01-01T00:00:00Z" };
const container = { name: "c", image: "i:1" };
const template = {
  metadata: { labels: { app: "web" } },
  spec: { containers: [container, { name: "d", image: "j" }], nodeSelector: { disk: "ssd" } },
};
const selector = { matchLabels: { app: "web" } };

/** `NAME=a  READY=1/2`, with `*` at columns of `-o wide`. */
function row(kind: Kind, body: Body): string {
  const object = decodedAs(kind, { metadata, ...body });
  return kind.columns.map(({ name, wide, cell }) => `${wide === true ? "*" : ""}${name}=${String(cell(object, NOW))}`).join(" | ");
}

const CASES: readonly (readonly [Kind, Body, string])[] = [
  [
    erased(PodKind),
    {
      spec: { containers: [container], nodeName: "n1", readinessGates: [{ conditionType: "x/y" }] },
      status: { phase: "Running", podIPs: [{ ip: "10.0.0.1" }] },
    },
    "Name=a | Ready=0/1 | Status=Running | Restarts=0 | Age=5d | *IP=10.0.0.1 | *Node=n1 | *Nominated Node=<none> | *Readiness Gates=0/1",
  ],
  [
    erased(ServiceKind),
    {
      spec: {
        type: "NodePort",
        clusterIP: "10.0.0.1",
        clusterIPs: ["10.0.0.1"],
        ports: [
          { port: 80, nodePort: 30_080 },
          { port: 53, protocol: "UDP" },
        ],
      },
    },
    "Name=a | Type=NodePort | Cluster-IP=10.0.0.1 | External-IP=<none> | Port(s)=80:30080/TCP,53/UDP | Age=5d | *Selector=<none>",
  ],
  [
    erased(ServiceKind),
    { spec: { type: "LoadBalancer", selector: { app: "web" } } },
    "Name=a | Type=LoadBalancer | Cluster-IP=<none> | External-IP=<pending> | Port(s)=<none> | Age=5d | *Selector=app=web",
  ],
  [
    erased(DeploymentKind),
    { spec: { replicas: 3, selector, template }, status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1 } },
    "Name=a | Ready=2/3 | Up-to-date=3 | Available=1 | Age=5d | *Containers=c,d | *Images=i:1,j | *Selector=app=web",
  ],
  [
    erased(DaemonSetKind),
    {
      spec: { selector, template },
      status: { desiredNumberScheduled: 3, currentNumberScheduled: 2, numberMisscheduled: 0, numberReady: 1 },
    },
    "Name=a | Desired=3 | Current=2 | Ready=1 | Up-to-date=0 | Available=0 | Node Selector=disk=ssd | Age=5d | *Containers=c,d | *Images=i:1,j | *Selector=app=web",
  ],
  [
    erased(ControllerRevisionKind),
    {
      metadata: { ...metadata, ownerReferences: [{ apiVersion: "apps/v1", kind: "DaemonSet", name: "d", uid: "1", controller: true }] },
      revision: 2,
    },
    "Name=a | Controller=daemonset.apps/d | Revision=2 | Age=5d",
  ],
  [
    erased(JobKind),
    {
      spec: { completions: 3, template },
      status: {
        succeeded: 3,
        startTime: "2030-01-01T00:00:00Z",
        completionTime: "2030-01-01T00:02:05Z",
        conditions: [{ type: "Complete", status: "True" }],
      },
    },
    "Name=a | Status=Complete | Completions=3/3 | Duration=2m5s | Age=5d | *Containers=c,d | *Images=i:1,j | *Selector=<none>",
  ],
  [
    erased(JobKind),
    { spec: { parallelism: 2, template } },
    "Name=a | Status=Running | Completions=0/1 of 2 | Duration= | Age=5d | *Containers=c,d | *Images=i:1,j | *Selector=<none>",
  ],
  [
    erased(CronJobKind),
    { spec: { schedule: "@daily", jobTemplate: { spec: { template } } }, status: { lastScheduleTime: "2030-01-05T23:59:00Z" } },
    "Name=a | Schedule=@daily | Timezone=<none> | Suspend=False | Active=0 | Last Schedule=60s | Age=5d | *Containers=c,d | *Images=i:1,j | *Selector=<none>",
  ],
  [
    erased(EndpointsKind),
    { subsets: [{ addresses: ["1", "2", "3"].map((n) => ({ ip: `10.0.0.${n}` })), ports: [{ port: 80 }, { port: 81 }] }] },
    "Name=a | Endpoints=10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 3 more... | Age=5d",
  ],
  [erased(EndpointsKind), {}, "Name=a | Endpoints=<none> | Age=5d"],
  [
    erased(EndpointSliceKind),
    { addressType: "IPv4", endpoints: [{ addresses: ["10.0.0.1"] }, { addresses: ["10.0.0.2"] }], ports: [{ port: 80 }] },
    "Name=a | AddressType=IPv4 | Ports=80 | Endpoints=10.0.0.1,10.0.0.2 | Age=5d",
  ],
  [erased(EndpointSliceKind), { addressType: "IPv6" }, "Name=a | AddressType=IPv6 | Ports=<unset> | Endpoints=<unset> | Age=5d"],
  [
    erased(NodeKind),
    {
      metadata: { ...metadata, labels: { "node-role.kubernetes.io/worker": "", "node-role.kubernetes.io/control-plane": "" } },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: "Ready", status: "True" }],
        addresses: [{ type: "InternalIP", address: "192.168.0.2" }],
        nodeInfo: { kubeletVersion: "v1.36.0" },
      },
    },
    "Name=a | Status=Ready,SchedulingDisabled | Roles=control-plane,worker | Age=5d | Version=v1.36.0 | *Internal-IP=192.168.0.2 | *External-IP=<none> | *OS-Image=<unknown> | *Kernel-Version=<unknown> | *Container-Runtime=<unknown>",
  ],
  [
    erased(EventKind),
    {
      type: "Warning",
      reason: "BackOff",
      message: "Back-off\n",
      count: 4,
      involvedObject: { kind: "Pod", name: "p", fieldPath: "spec.containers{c}" },
      source: { component: "kubelet", host: "n1" },
      firstTimestamp: "2030-01-05T22:00:00Z",
      lastTimestamp: "2030-01-05T23:59:55Z",
    },
    "Last Seen=5s | Type=Warning | Reason=BackOff | Object=pod/p | *Subobject=spec.containers{c} | *Source=kubelet, n1 | Message=Back-off | *First Seen=120m | *Count=4 | *Name=a",
  ],
  [
    erased(EventV1Kind),
    { eventTime: "2030-01-05T23:59:00.000000Z", reportingController: "scheduler", regarding: { kind: "Node", name: "n" }, note: "hi" },
    "Last Seen=60s | Type= | Reason= | Object=node/n | *Subobject= | *Source=scheduler | Message=hi | *First Seen=60s | *Count=1 | *Name=a",
  ],
  [erased(SecretKind), { data: { k: "eA==" } }, "Name=a | Type=Opaque | Data=1 | Age=5d"],
  [
    erased(ResourceQuotaKind),
    { status: { hard: { pods: "10", "limits.cpu": "2" }, used: { pods: "1" } } },
    "Name=a | Request=pods: 1/10 | Limit=limits.cpu: 0/2 | Age=5d",
  ],
  [
    erased(PersistentVolumeClaimKind),
    {
      spec: { volumeName: "v", storageClassName: "fast" },
      status: { phase: "Bound", accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" } },
    },
    "Name=a | Status=Bound | Volume=v | Capacity=1Gi | Access Modes=RWO | StorageClass=fast | VolumeAttributesClass=<unset> | Age=5d | *VolumeMode=Filesystem",
  ],
  [
    erased(HorizontalPodAutoscalerKind),
    {
      spec: { scaleTargetRef: { kind: "Deployment", name: "web" }, maxReplicas: 3 },
      status: {
        currentReplicas: 2,
        desiredReplicas: 2,
        currentMetrics: [{ type: "Resource", resource: { name: "cpu", current: { averageUtilization: 40 } } }],
      },
    },
    "Name=a | Reference=Deployment/web | Targets=cpu: 40%/80% | MinPods=1 | MaxPods=3 | Replicas=2 | Age=5d",
  ],
  [
    erased(IngressKind),
    {
      spec: { ingressClassName: "nginx", tls: [{}], rules: [{ host: "a.example" }] },
      status: { loadBalancer: { ingress: [{ ip: "203.0.113.1" }] } },
    },
    "Name=a | Class=nginx | Hosts=a.example | Address=203.0.113.1 | Ports=80, 443 | Age=5d",
  ],
  [
    erased(CertificateSigningRequestKind),
    {
      spec: { request: "", signerName: "example.com/s", username: "alice", expirationSeconds: 86_400 },
      status: { conditions: [{ type: "Approved", status: "True" }], certificate: "eA==" },
    },
    "Name=a | Age=5d | SignerName=example.com/s | Requestor=alice | RequestedDuration=24h | Condition=Approved,Issued",
  ],
  [
    erased(PodDisruptionBudgetKind),
    { spec: { minAvailable: "50%" } },
    "Name=a | Min Available=50% | Max Unavailable=N/A | Allowed Disruptions=0 | Age=5d",
  ],
  [
    erased(RoleBindingKind),
    {
      roleRef: { kind: "Role", name: "r" },
      subjects: [
        { kind: "User", name: "u" },
        { kind: "ServiceAccount", namespace: "n", name: "s" },
      ],
    },
    "Name=a | Role=Role/r | Age=5d | *Users=u | *Groups= | *ServiceAccounts=n/s",
  ],
  [erased(PriorityClassKind), { value: 5 }, "Name=a | Value=5 | Global-Default=false | Age=5d | PreemptionPolicy=PreemptLowerPriority"],
  [
    erased(StorageClassKind),
    { metadata: { ...metadata, annotations: { "storageclass.kubernetes.io/is-default-class": "true" } }, provisioner: "p" },
    "Name=a (default) | Provisioner=p | ReclaimPolicy=Delete | VolumeBindingMode=Immediate | AllowVolumeExpansion=false | Age=5d",
  ],
  [
    erased(IPAddressKind),
    { spec: { parentRef: { resource: "services", namespace: "default", name: "web" } } },
    "Name=a | ParentRef=services/default/web",
  ],
  [erased(LimitRangeKind), {}, "Name=a | Created At=2030-01-01T00:00:00Z"],
];

describe("columns", () => {
  test.each(CASES.map(([kind, body, expected]) => [kind.kind, expected, body, kind] as const))("%s: %s", (_, expected, body, kind) => {
    expect(row(kind, body)).toBe(expected);
  });
});
