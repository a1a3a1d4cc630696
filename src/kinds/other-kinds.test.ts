import { describe, expect, test } from "vitest";
import { ValidatingWebhookConfigurationKind } from "./admissionregistration/validating-webhook-configuration.ts";
import { CustomResourceDefinitionKind } from "./apiextensions/custom-resource-definition.ts";
import { APIServiceKind } from "./apiregistration/api-service.ts";
import { HorizontalPodAutoscalerKind } from "./autoscaling/horizontal-pod-autoscaler.ts";
import { CertificateSigningRequestKind } from "./certificates/certificate-signing-request.ts";
import { LeaseKind } from "./coordination/lease.ts";
import { EndpointSliceKind } from "./discovery/endpoint-slice.ts";
import { EventV1Kind } from "./events/event.ts";
import { PriorityLevelConfigurationKind } from "./flowcontrol/priority-level-configuration.ts";
import type { Kind } from "./kind.ts";
import { erased } from "./kind.ts";
import { type Body, createdAs, createErrors, decodedAs, updateErrors } from "./kind-testing.ts";
import { IPAddressKind } from "./networking/ip-address.ts";
import { IngressKind } from "./networking/ingress.ts";
import { NetworkPolicyKind } from "./networking/network-policy.ts";
import { ServiceCIDRKind } from "./networking/service-cidr.ts";
import { RuntimeClassKind } from "./node/runtime-class.ts";
import { PodDisruptionBudgetKind } from "./policy/pod-disruption-budget.ts";
import { ClusterRoleBindingKind } from "./rbac/cluster-role-binding.ts";
import { RoleBindingKind } from "./rbac/role-binding.ts";
import { RoleKind } from "./rbac/role.ts";
import { ResourceClaimKind } from "./resource/resource-claim.ts";
import { PriorityClassKind } from "./scheduling/priority-class.ts";
import { StorageClassKind } from "./storage/storage-class.ts";

const metadata = { name: "a", namespace: "default" };
const cluster = { name: "a" };
const backend = { service: { name: "web", port: { number: 80 } } };
const ingress = (path: Body): Body => ({
  metadata,
  spec: { rules: [{ http: { paths: [{ path: "/", pathType: "Prefix", backend, ...path }] } }] },
});
const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" };
const hpa = (spec: Body): Body => ({ metadata, spec: { scaleTargetRef: { kind: "Deployment", name: "web" }, maxReplicas: 3, ...spec } });
const slice = (rest: Body): Body => ({ metadata, addressType: "IPv4", endpoints: [{ addresses: ["10.0.0.1"] }], ...rest });
const webhook = (rest: Body): Body => ({
  metadata: cluster,
  webhooks: [
    {
      name: "hook.example.com",
      sideEffects: "None",
      admissionReviewVersions: ["v1"],
      clientConfig: { service: { namespace: "default", name: "hook" } },
      ...rest,
    },
  ],
});
const version = { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } };
const crd = (spec: Body, name = "widgets.example.com"): Body => ({
  metadata: { name },
  spec: { group: "example.com", scope: "Namespaced", names: { plural: "widgets", kind: "Widget" }, versions: [version], ...spec },
});

const CASES: readonly (readonly [Kind, string, Body, readonly string[]])[] = [
  [erased(PodDisruptionBudgetKind), "plain", { metadata, spec: { minAvailable: 1 } }, []],
  [
    erased(PodDisruptionBudgetKind),
    "150 %",
    { metadata, spec: { maxUnavailable: "150%" } },
    ['spec.maxUnavailable: Invalid value: "150%": must not be greater than 100%'],
  ],
  [erased(HorizontalPodAutoscalerKind), "plain", hpa({}), []],
  [
    erased(HorizontalPodAutoscalerKind),
    "more at least than at most",
    hpa({ minReplicas: 5 }),
    ["spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"],
  ],
  [
    erased(HorizontalPodAutoscalerKind),
    "no target",
    { metadata, spec: { maxReplicas: 1 } },
    ["spec.scaleTargetRef.kind: Required value", "spec.scaleTargetRef.name: Required value"],
  ],
  [erased(IngressKind), "plain", ingress({}), []],
  [
    erased(IngressKind),
    "no rules",
    { metadata, spec: {} },
    ["spec: Invalid value: []: either `defaultBackend` or `rules` must be specified"],
  ],
  [
    erased(IngressKind),
    "no path type",
    ingress({ pathType: undefined }),
    ["spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"],
  ],
  [
    erased(IngressKind),
    "a relative path",
    ingress({ path: "x" }),
    ['spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path'],
  ],
  [
    erased(IngressKind),
    "a backend without port",
    ingress({ backend: { service: { name: "web" } } }),
    ["spec.rules[0].http.paths[0].backend.service.port: Required value: port name or number is required"],
  ],
  [erased(NetworkPolicyKind), "plain", { metadata, spec: { podSelector: {} } }, []],
  [
    erased(NetworkPolicyKind),
    "an exception outside",
    { metadata, spec: { ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/16"] } }] }] } },
    ['spec.ingress[0].from[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`: "10.0.0.0/8"'],
  ],
  [
    erased(NetworkPolicyKind),
    "nobody",
    { metadata, spec: { egress: [{ to: [{}] }] } },
    ["spec.egress[0].to[0]: Required value: must specify a peer"],
  ],
  [
    erased(IPAddressKind),
    "plain",
    { metadata: { name: "10.0.0.1" }, spec: { parentRef: { resource: "services", namespace: "default", name: "a" } } },
    [],
  ],
  [
    erased(IPAddressKind),
    "a long form",
    { metadata: { name: "fd00:0::1" }, spec: { parentRef: { resource: "services", name: "a" } } },
    ['metadata.name: Invalid value: "fd00:0::1": must be in canonical form ("fd00::1")'],
  ],
  [erased(ServiceCIDRKind), "no range", { metadata: cluster }, ["spec.cidrs: Required value: at least one CIDR required"]],
  [erased(EndpointSliceKind), "plain", slice({ ports: [{ port: 80 }] }), []],
  [
    erased(EndpointSliceKind),
    "another family",
    slice({ addressType: "IPv6" }),
    ['endpoints[0].addresses[0]: Invalid value: "10.0.0.1": must be a valid IPv6 address'],
  ],
  [
    erased(EndpointSliceKind),
    "an unknown type",
    slice({ addressType: "Mail" }),
    ['addressType: Unsupported value: "Mail": supported values: "FQDN", "IPv4", "IPv6"'],
  ],
  [
    erased(EventV1Kind),
    "who and when left out",
    { metadata },
    [
      "eventTime: Required value",
      "reportingController: Required value",
      "reportingInstance: Required value",
      "action: Required value",
      "reason: Required value",
      "type: Required value",
    ],
  ],
  [
    erased(LeaseKind),
    "no time",
    { metadata, spec: { leaseDurationSeconds: 0 } },
    ["spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"],
  ],
  [erased(RuntimeClassKind), "no handler", { metadata: cluster }, ["handler: Required value"]],
  [
    erased(PriorityClassKind),
    "too important",
    { metadata: cluster, value: 1_000_000_001 },
    ["value: Forbidden: maximum allowed value of a user defined priority is 1000000000"],
  ],
  [
    erased(PriorityClassKind),
    "a reserved name",
    { metadata: { name: "system-mine" }, value: 1 },
    [
      "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class",
    ],
  ],
  [erased(PriorityClassKind), "the system's own", { metadata: { name: "system-node-critical" }, value: 2_000_001_000 }, []],
  [
    erased(RoleKind),
    "no verbs",
    { metadata, rules: [{ apiGroups: [""], resources: ["pods"] }] },
    ["rules[0].verbs: Required value: verbs must contain at least one value"],
  ],
  [
    erased(RoleKind),
    "URLs in a namespace",
    { metadata, rules: [{ verbs: ["get"], nonResourceURLs: ["/healthz"] }] },
    ['rules[0].nonResourceURLs: Invalid value: ["/healthz"]: namespaced rules cannot apply to non-resource URLs'],
  ],
  [erased(RoleBindingKind), "plain", { metadata, roleRef, subjects: [{ kind: "User", name: "alice" }] }, []],
  [
    erased(ClusterRoleBindingKind),
    "a role of a namespace",
    { metadata: cluster, roleRef: { ...roleRef, kind: "Role" } },
    ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
  ],
  [
    erased(ClusterRoleBindingKind),
    "an account of nowhere",
    { metadata: cluster, roleRef, subjects: [{ kind: "ServiceAccount", name: "sa" }] },
    ["subjects[0].namespace: Required value"],
  ],
  [
    erased(CertificateSigningRequestKind),
    "nothing asked",
    { metadata: cluster, spec: { request: "", signerName: "" } },
    [
      'spec.request: Invalid value: "": PEM block type must be CERTIFICATE REQUEST',
      "spec.usages: Required value",
      "spec.signerName: Required value",
    ],
  ],
  [erased(ValidatingWebhookConfigurationKind), "plain", webhook({}), []],
  [
    erased(ValidatingWebhookConfigurationKind),
    "a short name",
    webhook({ name: "hook" }),
    ['webhooks[0].name: Invalid value: "hook": should be a domain with at least three segments separated by dots'],
  ],
  [
    erased(ValidatingWebhookConfigurationKind),
    "side effects",
    webhook({ sideEffects: "Some" }),
    ['webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
  ],
  [
    erased(ValidatingWebhookConfigurationKind),
    "nowhere to call",
    webhook({ clientConfig: {} }),
    ["webhooks[0].clientConfig: Required value: exactly one of url or service is required"],
  ],
  [
    erased(APIServiceKind),
    "another name",
    { metadata: cluster, spec: { group: "example.com", version: "v1", groupPriorityMinimum: 100, versionPriority: 1 } },
    ['metadata.name: Invalid value: "a": must be `spec.version+"."+spec.group`: "v1.example.com"'],
  ],
  [erased(CustomResourceDefinitionKind), "plain", crd({}), []],
  [
    erased(CustomResourceDefinitionKind),
    "another name",
    crd({}, "gadgets.example.com"),
    ['metadata.name: Invalid value: "gadgets.example.com": must be spec.names.plural+"."+spec.group'],
  ],
  [
    erased(CustomResourceDefinitionKind),
    "no schema",
    crd({ versions: [{ name: "v1", served: true, storage: true }] }),
    ["spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"],
  ],
  [
    erased(CustomResourceDefinitionKind),
    "nowhere to live",
    crd({ scope: "Everywhere" }),
    ['spec.scope: Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced"'],
  ],
  [
    erased(PriorityLevelConfigurationKind),
    "a big hand",
    {
      metadata: cluster,
      spec: { type: "Limited", limited: { limitResponse: { type: "Queue", queuing: { queues: 2, handSize: 8 } } } },
    },
    ["spec.limited.limitResponse.queuing.handSize: Invalid value: 8: should not be greater than queues (2)"],
  ],
  [erased(StorageClassKind), "nobody to make volumes", { metadata: cluster }, ["provisioner: Required value"]],
  [
    erased(ResourceClaimKind),
    "a request for nothing",
    { metadata, spec: { devices: { requests: [{ name: "gpu" }] } } },
    ["spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"],
  ],
];

describe("validation", () => {
  test.each(CASES.map(([kind, ...rest]) => [kind.kind, ...rest, kind] as const))("%s: %s", (_, __, body, expected, kind) => {
    expect(createErrors(kind, body)).toEqual(expected);
  });
});

describe("updates", () => {
  test("a role binding keeps its role", () => {
    expect(updateErrors(RoleBindingKind, { metadata, roleRef }, { metadata, roleRef: { ...roleRef, name: "edit" } })).toEqual([
      'roleRef: Invalid value: {"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"}: cannot change roleRef',
    ]);
  });

  test("a storage class keeps what volumes were made by", () => {
    const before = { metadata: cluster, provisioner: "example.com/disk" };
    expect(updateErrors(StorageClassKind, before, { ...before, reclaimPolicy: "Retain", parameters: { a: "b" } })).toEqual([
      "parameters: Forbidden: updates to parameters are forbidden.",
      "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.",
    ]);
  });

  test("a definition remembers every version it stored", () => {
    const previous = createdAs(CustomResourceDefinitionKind, crd({}));
    const second = { ...version, name: "v2" };
    const next = decodedAs(CustomResourceDefinitionKind, crd({ versions: [{ ...version, storage: false }, second] }));
    const updated = CustomResourceDefinitionKind.strategy.prepareForUpdate?.(next, previous);
    expect(updated?.status?.storedVersions).toEqual(["v1", "v2"]);
    const gone = decodedAs(CustomResourceDefinitionKind, crd({ versions: [second] }));
    const [error] = CustomResourceDefinitionKind.strategy.validate?.({ ...gone, status: { storedVersions: ["v1", "v2"] } }) ?? [];
    expect(error).toMatchObject({ type: "Invalid", field: "status.storedVersions[0]", value: "v1" });
  });
});

describe("defaults", () => {
  test("an autoscaler wants 80 % CPU and at least one pod", () => {
    expect(decodedAs(HorizontalPodAutoscalerKind, hpa({})).spec).toMatchObject({
      minReplicas: 1,
      metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }],
    });
  });

  test("a policy is about egress where it has rules for it", () => {
    expect(decodedAs(NetworkPolicyKind, { metadata, spec: {} }).spec.policyTypes).toEqual(["Ingress"]);
    expect(decodedAs(NetworkPolicyKind, { metadata, spec: { egress: [{}] } }).spec.policyTypes).toEqual(["Ingress", "Egress"]);
  });

  test("a definition's names follow from its kind", () => {
    const { spec } = decodedAs(CustomResourceDefinitionKind, crd({}));
    expect([spec.names.singular, spec.names.listKind, spec.conversion]).toEqual(["widget", "WidgetList", { strategy: "None" }]);
  });

  test("subjects that are people are of the RBAC group", () => {
    const binding = decodedAs(RoleBindingKind, { metadata, roleRef: { kind: "Role", name: "r" }, subjects: [{ kind: "User", name: "u" }] });
    expect(binding).toMatchObject({ roleRef: { apiGroup: roleRef.apiGroup }, subjects: [{ kind: "User", apiGroup: roleRef.apiGroup }] });
  });
});
