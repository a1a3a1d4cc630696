import type { Client, Draft } from "#client/contract.ts";
import type { KindRef } from "#kinds/kind.ts";
import { ConfigMapKind } from "#kinds/core/config-map.ts";
import { SecretKind } from "#kinds/core/secret.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { ClusterRoleBindingKind } from "#kinds/rbac/cluster-role-binding.ts";
import { ClusterRoleKind } from "#kinds/rbac/cluster-role.ts";
import { RoleBindingKind } from "#kinds/rbac/role-binding.ts";
import { RoleKind } from "#kinds/rbac/role.ts";
import type { KubeObject } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";

export interface ServerObjectsOptions {
  readonly server: string;
  readonly caPem: string;
  readonly joinToken: string;
  readonly clusterDns: string;
}

/** Objects that this distribution adds to what every API server makes: cluster DNS, what agents may do, how nodes join. */
export async function ensureServerObjects(client: Client, options: ServerObjectsOptions, signal: AbortSignal): Promise<void> {
  await Promise.all([
    ensure(client, ServiceKind, dnsService(options.clusterDns), signal),
    ensure(client, ClusterRoleKind, agentRole, signal),
    ensure(client, ClusterRoleBindingKind, agentRoleBinding, signal),
    ensure(client, ClusterRoleBindingKind, bootstrapBinding, signal),
    ensure(client, RoleKind, clusterInfoRole, signal),
    ensure(client, RoleBindingKind, clusterInfoBinding, signal),
    ensure(client, SecretKind, joinSecret(options.joinToken), signal),
    ensure(client, ConfigMapKind, clusterInfo(options), signal),
  ]);
}

async function ensure<T extends KubeObject>(client: Client, kind: KindRef<T>, object: Draft<T>, signal: AbortSignal): Promise<void> {
  const { name = "", namespace } = object.metadata;
  try {
    await client.get(kind, { name, namespace }, signal);
    return;
  } catch (cause) {
    if (!hasReason(cause, "NotFound")) throw cause;
  }
  try {
    await client.create(kind, object, signal);
  } catch (cause) {
    if (!hasReason(cause, "AlreadyExists")) throw cause; // another server was faster
  }
}

/** Every node answers the cluster's names itself: its pods ask the DNS of their own node. */
function dnsService(clusterIP: string) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: "kube-dns",
      namespace: "kube-system",
      labels: { "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS" },
    },
    spec: {
      clusterIP,
      internalTrafficPolicy: "Local",
      ports: [
        { name: "dns", port: 53, protocol: "UDP" },
        { name: "dns-tcp", port: 53, protocol: "TCP" },
      ],
    },
  } as const;
}

/** What a node's agent does besides the kubelet's work, which the Node authorizer allows: proxy, routes, DNS. */
const agentRole = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: { name: "navarch:agent" },
  rules: [
    { apiGroups: [""], resources: ["nodes", "namespaces", "services"], verbs: ["get", "list", "watch"] },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["get", "list", "watch", "create", "update", "patch"] },
  ],
} as const;

const agentRoleBinding = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRoleBinding",
  metadata: { name: "navarch:agents" },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "navarch:agent" },
  subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "system:nodes" }],
} as const;

/** Whoever has a join token may ask for a node's certificate; the approver says yes to nothing else. */
const bootstrapBinding = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRoleBinding",
  metadata: { name: "navarch:node-bootstrappers" },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:node-bootstrapper" },
  subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "system:bootstrappers:navarch:default-node-token" }],
} as const;

/** A machine that joins with the CA's hash reads cluster-info before it is anybody. */
const clusterInfoRole = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "Role",
  metadata: { name: "navarch:cluster-info", namespace: "kube-public" },
  rules: [{ apiGroups: [""], resources: ["configmaps"], resourceNames: ["cluster-info"], verbs: ["get"] }],
} as const;

const clusterInfoBinding = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  metadata: { name: "navarch:cluster-info", namespace: "kube-public" },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "navarch:cluster-info" },
  subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "system:anonymous" }],
} as const;

function joinSecret(token: string) {
  const [id = "", secret = ""] = token.split(".");
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: `bootstrap-token-${id}`, namespace: "kube-system" },
    type: "bootstrap.kubernetes.io/token",
    stringData: {
      "token-id": id,
      "token-secret": secret,
      "usage-bootstrap-authentication": "true",
      "usage-bootstrap-signing": "true",
      "auth-extra-groups": "system:bootstrappers:navarch:default-node-token",
    },
  } as const;
}

function clusterInfo({ server, caPem }: ServerObjectsOptions) {
  const kubeconfig = [
    "apiVersion: v1",
    "kind: Config",
    "clusters:",
    "- name: ''",
    "  cluster:",
    `    server: ${server}`,
    `    certificate-authority-data: ${Buffer.from(caPem).toString("base64")}`,
    "",
  ].join("\n");
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "cluster-info", namespace: "kube-public" },
    data: { kubeconfig },
  } as const;
}
