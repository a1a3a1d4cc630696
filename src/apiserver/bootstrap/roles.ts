import type { PolicyRule } from "#machinery/api/rbac-v1.ts";

/** A cluster role that every cluster has. `labels` beyond `kubernetes.io/bootstrapping`. */
export interface OwnClusterRole {
  readonly name: string;
  readonly rules?: readonly PolicyRule[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Label of the roles whose rules this one is made of. */
  readonly aggregates?: string;
}

const READ = ["get", "list", "watch"];
const WRITE = ["create", "delete", "deletecollection", "patch", "update"];
const READ_WRITE = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/** `rule("get list", "apps batch", "deployments jobs")`; `core` is the group without a name. */
export function rule(verbs: string | readonly string[], groups: string, resources: string, resourceNames?: readonly string[]): PolicyRule {
  return {
    verbs: typeof verbs === "string" ? verbs.split(" ") : verbs,
    apiGroups: groups.split(" ").map((group) => (group === "core" ? "" : group)),
    resources: resources.split(" "),
    ...(resourceNames === undefined ? {} : { resourceNames }),
  };
}

export function urlRule(...nonResourceURLs: readonly string[]): PolicyRule {
  return { verbs: ["get"], nonResourceURLs };
}

const EVENTS = rule("create patch update", "core events.k8s.io", "events");
const AUTHENTICATION_REVIEWS = rule("create", "authentication.k8s.io", "tokenreviews");
const AUTHORIZATION_REVIEWS = rule("create", "authorization.k8s.io", "subjectaccessreviews");

const VIEW_RULES: readonly PolicyRule[] = [
  rule(
    READ,
    "core",
    "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status",
  ),
  rule(
    READ,
    "core",
    "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status",
  ),
  rule(READ, "core", "namespaces"),
  rule(READ, "discovery.k8s.io", "endpointslices"),
  rule(
    READ,
    "apps",
    "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
  ),
  rule(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
  rule(READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
  rule(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
  rule(READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
  rule(READ, "resource.k8s.io", "resourceclaims resourceclaims/status resourceclaimtemplates"),
];

const EDIT_RULES: readonly PolicyRule[] = [
  rule(READ, "core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"),
  rule("impersonate", "core", "serviceaccounts"),
  rule(WRITE, "core", "pods pods/attach pods/exec pods/portforward pods/proxy"),
  rule("create", "core", "pods/eviction"),
  rule("patch update", "core", "pods/resize"),
  rule(
    WRITE,
    "core",
    "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy",
  ),
  rule("create", "core", "serviceaccounts/token"),
  rule(
    WRITE,
    "apps",
    "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale",
  ),
  rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
  rule(WRITE, "batch", "cronjobs jobs"),
  rule(WRITE, "policy", "poddisruptionbudgets"),
  rule(WRITE, "networking.k8s.io", "ingresses networkpolicies"),
  rule(WRITE, "resource.k8s.io", "resourceclaims resourceclaimtemplates"),
  rule(READ_WRITE, "coordination.k8s.io", "leases"),
];

const ADMIN_RULES: readonly PolicyRule[] = [
  rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
  rule(READ_WRITE, "rbac.authorization.k8s.io", "rolebindings roles"),
];

const HEALTH = ["/healthz", "/livez", "/readyz"];
const DISCOVERY = ["/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", "/version", "/version/"];

const AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-";

/** What a kubelet may do as far as RBAC decides it; the node authorizer narrows it to the node's own objects. */
export const NODE_RULES: readonly PolicyRule[] = [
  AUTHENTICATION_REVIEWS,
  rule("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
  rule(READ, "core", "services"),
  rule("create get list watch", "core", "nodes"),
  rule("patch update", "core", "nodes/status"),
  rule("patch update delete", "core", "nodes"),
  EVENTS,
  rule(READ, "core", "pods"),
  rule("create delete", "core", "pods"),
  rule("patch update", "core", "pods/status"),
  rule("create", "core", "pods/eviction"),
  rule(READ, "core", "configmaps secrets"),
  rule("get", "core", "persistentvolumeclaims persistentvolumes"),
  rule("get", "core", "endpoints"),
  rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests"),
  rule("create delete get patch update", "coordination.k8s.io", "leases"),
  rule("get", "storage.k8s.io", "volumeattachments"),
  rule("create", "core", "serviceaccounts/token"),
  rule("get patch update", "core", "persistentvolumeclaims/status"),
  rule(READ, "storage.k8s.io", "csidrivers"),
  rule("create delete get patch update", "storage.k8s.io", "csinodes"),
  rule(READ, "node.k8s.io", "runtimeclasses"),
  rule("get", "resource.k8s.io", "resourceclaims"),
  rule("deletecollection create delete get list patch update watch", "resource.k8s.io", "resourceslices"),
  rule(READ, "certificates.k8s.io", "clustertrustbundles"),
  rule("get", "core", "serviceaccounts"),
];

export const CLUSTER_ROLES: readonly OwnClusterRole[] = [
  { name: "cluster-admin", rules: [rule("*", "*", "*"), { verbs: ["*"], nonResourceURLs: ["*"] }] },
  { name: "system:discovery", rules: [urlRule(...DISCOVERY, ...HEALTH)] },
  {
    name: "system:monitoring",
    rules: [urlRule("/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/metrics/slis", "/readyz", "/readyz/*")],
  },
  {
    name: "system:basic-user",
    rules: [
      rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
      rule("create", "authentication.k8s.io", "selfsubjectreviews"),
    ],
  },
  { name: "system:public-info-viewer", rules: [urlRule(...HEALTH, "/version", "/version/")] },
  { name: "admin", aggregates: "admin" },
  { name: "edit", labels: { [`${AGGREGATE}admin`]: "true" }, aggregates: "edit" },
  { name: "view", labels: { [`${AGGREGATE}edit`]: "true" }, aggregates: "view" },
  { name: "system:aggregate-to-admin", labels: { [`${AGGREGATE}admin`]: "true" }, rules: ADMIN_RULES },
  { name: "system:aggregate-to-edit", labels: { [`${AGGREGATE}edit`]: "true" }, rules: EDIT_RULES },
  { name: "system:aggregate-to-view", labels: { [`${AGGREGATE}view`]: "true" }, rules: VIEW_RULES },
  { name: "system:heapster", rules: [rule(READ, "core", "events namespaces nodes pods"), rule(READ, "apps", "deployments")] },
  { name: "system:node", rules: NODE_RULES },
  { name: "system:node-problem-detector", rules: [rule("get", "core", "nodes"), rule("patch", "core", "nodes/status"), EVENTS] },
  {
    name: "system:kubelet-api-admin",
    rules: [
      rule(READ, "core", "nodes"),
      rule("proxy", "core", "nodes"),
      rule("*", "core", "nodes/checkpoint nodes/configz nodes/healthz nodes/log nodes/metrics nodes/pods nodes/proxy nodes/stats"),
    ],
  },
  { name: "system:node-bootstrapper", rules: [rule("create get list watch", "certificates.k8s.io", "certificatesigningrequests")] },
  { name: "system:auth-delegator", rules: [AUTHENTICATION_REVIEWS, AUTHORIZATION_REVIEWS] },
  { name: "system:kube-aggregator", rules: [rule(READ, "core", "endpoints services"), rule(READ, "discovery.k8s.io", "endpointslices")] },
  {
    name: "system:kube-controller-manager",
    rules: [
      EVENTS,
      rule("create", "coordination.k8s.io", "leases"),
      rule("get update", "coordination.k8s.io", "leases", ["kube-controller-manager"]),
      rule("create", "core", "secrets serviceaccounts"),
      rule("delete", "core", "secrets"),
      rule("get", "core", "configmaps namespaces secrets serviceaccounts"),
      rule("update", "core", "secrets serviceaccounts"),
      AUTHENTICATION_REVIEWS,
      AUTHORIZATION_REVIEWS,
      rule("list watch", "*", "*"),
      rule("create", "core", "serviceaccounts/token"),
    ],
  },
  {
    name: "system:kube-scheduler",
    rules: [
      EVENTS,
      rule("create", "coordination.k8s.io", "leases"),
      rule("get list update watch", "coordination.k8s.io", "leases", ["kube-scheduler"]),
      rule(READ, "core", "nodes"),
      rule("delete get list watch", "core", "pods"),
      rule("create", "core", "bindings pods/binding"),
      rule("patch update", "core", "pods/status"),
      rule(READ, "core", "replicationcontrollers services namespaces"),
      rule(READ, "apps", "replicasets statefulsets"),
      rule(READ, "policy", "poddisruptionbudgets"),
      rule("get list watch patch update", "core", "persistentvolumeclaims persistentvolumes"),
      AUTHENTICATION_REVIEWS,
      AUTHORIZATION_REVIEWS,
      rule(READ, "storage.k8s.io", "csidrivers csinodes csistoragecapacities storageclasses volumeattachments"),
      rule(READ, "resource.k8s.io", "deviceclasses resourceclaims resourceslices"),
      rule("patch update", "resource.k8s.io", "resourceclaims resourceclaims/status"),
    ],
  },
  {
    name: "system:kube-dns",
    rules: [rule("list watch", "core", "endpoints services"), rule("list watch", "discovery.k8s.io", "endpointslices")],
  },
  {
    name: "system:persistent-volume-provisioner",
    rules: [
      rule("create delete get list watch", "core", "persistentvolumes"),
      rule("get list update watch", "core", "persistentvolumeclaims"),
      rule(READ, "storage.k8s.io", "storageclasses"),
      rule("watch", "core", "events"),
      EVENTS,
    ],
  },
  {
    name: "system:node-proxier",
    rules: [
      rule("list watch", "core", "endpoints services"),
      rule(READ, "core", "nodes"),
      EVENTS,
      rule("list watch", "discovery.k8s.io", "endpointslices"),
      rule("list watch", "networking.k8s.io", "servicecidrs"),
    ],
  },
  {
    name: "system:volume-scheduler",
    rules: [
      rule("get list patch update watch", "core", "persistentvolumes"),
      rule(READ, "storage.k8s.io", "storageclasses"),
      rule("get list patch update watch", "core", "persistentvolumeclaims"),
    ],
  },
  {
    name: "system:service-account-issuer-discovery",
    rules: [urlRule("/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/")],
  },
  {
    name: "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
    rules: [rule("create", "certificates.k8s.io", "certificatesigningrequests/nodeclient")],
  },
  {
    name: "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
    rules: [rule("create", "certificates.k8s.io", "certificatesigningrequests/selfnodeclient")],
  },
  ...["kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown"].map((signer) => ({
    name: `system:certificates.k8s.io:${signer === "legacy-unknown" ? "legacy-unknown-approver" : `${signer}-approver`}`,
    rules: [rule("approve", "certificates.k8s.io", "signers", [`kubernetes.io/${signer}`])],
  })),
];

/** Cluster role -> the groups, users and service accounts (`kube-system/x`) that have it everywhere. */
export const CLUSTER_ROLE_BINDINGS: readonly { readonly name: string; readonly role: string; readonly subjects: readonly string[] }[] = [
  { name: "cluster-admin", role: "cluster-admin", subjects: ["Group system:masters"] },
  { name: "system:monitoring", role: "system:monitoring", subjects: ["Group system:monitoring"] },
  { name: "system:discovery", role: "system:discovery", subjects: ["Group system:authenticated"] },
  { name: "system:basic-user", role: "system:basic-user", subjects: ["Group system:authenticated"] },
  {
    name: "system:public-info-viewer",
    role: "system:public-info-viewer",
    subjects: ["Group system:authenticated", "Group system:unauthenticated"],
  },
  { name: "system:node-proxier", role: "system:node-proxier", subjects: ["User system:kube-proxy"] },
  { name: "system:kube-controller-manager", role: "system:kube-controller-manager", subjects: ["User system:kube-controller-manager"] },
  { name: "system:kube-dns", role: "system:kube-dns", subjects: ["ServiceAccount kube-system/kube-dns"] },
  { name: "system:kube-scheduler", role: "system:kube-scheduler", subjects: ["User system:kube-scheduler"] },
  { name: "system:volume-scheduler", role: "system:volume-scheduler", subjects: ["User system:kube-scheduler"] },
  { name: "system:node", role: "system:node", subjects: [] },
  {
    name: "system:service-account-issuer-discovery",
    role: "system:service-account-issuer-discovery",
    subjects: ["Group system:serviceaccounts"],
  },
];
