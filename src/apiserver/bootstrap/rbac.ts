import type { ClusterRole, ClusterRoleBinding, PolicyRule, Subject } from "#machinery/api/rbac-v1.ts";
import { erased, type Kind } from "#kinds/kind.ts";
import { ClusterRoleBindingKind } from "#kinds/rbac/cluster-role-binding.ts";
import { ClusterRoleKind } from "#kinds/rbac/cluster-role.ts";
import { RoleBindingKind } from "#kinds/rbac/role-binding.ts";
import { RoleKind } from "#kinds/rbac/role.ts";
import type { KubeObject } from "#machinery/object.ts";
import { rulesNotCovered } from "../auth/rbac-rules.ts";
import type { Served } from "../served.ts";
import { controllerRoles } from "./controller-roles.ts";
import { type OwnObject, reconcileObject } from "./ensure.ts";
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, type OwnClusterRole, rule } from "./roles.ts";

const BOOTSTRAPPING = { "kubernetes.io/bootstrapping": "rbac-defaults" };
const AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate";
const ANNOTATIONS = { [AUTOUPDATE]: "true" };
const API_GROUP = "rbac.authorization.k8s.io";
const AGGREGATE = `${API_GROUP}/aggregate-to-`;

/**
 * Roles and bindings that every cluster has. Rules and subjects that an administrator has taken away are added again; what was added
 * stays. An object annotated `rbac.authorization.kubernetes.io/autoupdate: "false"` is left alone.
 */
export async function ensureRbac(served: Served, signal: AbortSignal): Promise<void> {
  const controllers = controllerRoles();
  for (const role of [...CLUSTER_ROLES, ...controllers.map(({ name, rules }) => ({ name: `system:controller:${name}`, rules }))]) {
    await reconcile(served, erased(ClusterRoleKind), clusterRoleObject(role, CLUSTER_ROLES), signal);
  }
  const bindings = [
    ...CLUSTER_ROLE_BINDINGS,
    ...controllers.map(({ name }) => ({
      name: `system:controller:${name}`,
      role: `system:controller:${name}`,
      subjects: [`ServiceAccount kube-system/${name}`],
    })),
  ];
  for (const { name, role, subjects } of bindings) {
    await reconcile(served, erased(ClusterRoleBindingKind), bindingObject(name, "ClusterRole", role, subjects.map(subjectOf)), signal);
  }
  for (const { namespace, name, rules, subjects } of NAMESPACED) {
    await reconcile(served, erased(RoleKind), { ...owned(name, namespace), rules }, signal);
    await reconcile(served, erased(RoleBindingKind), { ...bindingObject(name, "Role", name, subjects.map(subjectOf), namespace) }, signal);
  }
}

const NAMESPACED: readonly {
  readonly namespace: string;
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  readonly subjects: readonly string[];
}[] = [
  {
    namespace: "kube-system",
    name: "extension-apiserver-authentication-reader",
    rules: [rule("get list watch", "core", "configmaps", ["extension-apiserver-authentication"])],
    subjects: ["User system:kube-controller-manager", "User system:kube-scheduler"],
  },
  {
    namespace: "kube-system",
    name: "system:controller:bootstrap-signer",
    rules: [rule("get list watch", "core", "secrets")],
    subjects: ["ServiceAccount kube-system/bootstrap-signer"],
  },
  {
    namespace: "kube-system",
    name: "system:controller:token-cleaner",
    rules: [rule("delete get list watch", "core", "secrets"), rule("create patch update", "core events.k8s.io", "events")],
    subjects: ["ServiceAccount kube-system/token-cleaner"],
  },
  {
    namespace: "kube-public",
    name: "system:controller:bootstrap-signer",
    rules: [
      rule("get list watch", "core", "configmaps"),
      rule("update", "core", "configmaps", ["cluster-info"]),
      rule("create patch update", "core events.k8s.io", "events"),
    ],
    subjects: ["ServiceAccount kube-system/bootstrap-signer"],
  },
];

function owned(name: string, namespace?: string, labels: Readonly<Record<string, string>> = {}): OwnObject {
  const metadata = { name, annotations: ANNOTATIONS, labels: { ...BOOTSTRAPPING, ...labels } };
  return { metadata: namespace === undefined ? metadata : { ...metadata, namespace } };
}

/** Aggregated roles begin with their parts, so that they hold before the controller has looked at them. */
function clusterRoleObject({ name, rules, labels, aggregates }: OwnClusterRole, all: readonly OwnClusterRole[]): OwnObject {
  if (aggregates === undefined) return { ...owned(name, undefined, labels), rules: rules ?? [] };
  return {
    ...owned(name, undefined, labels),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`${AGGREGATE}${aggregates}`]: "true" } }] },
    rules: partsOf(aggregates, all),
  };
}

function partsOf(aggregates: string, all: readonly OwnClusterRole[]): readonly PolicyRule[] {
  return all
    .filter(({ labels }) => labels?.[`${AGGREGATE}${aggregates}`] === "true")
    .flatMap((part) => (part.aggregates === undefined ? (part.rules ?? []) : partsOf(part.aggregates, all)));
}

function bindingObject(name: string, kind: string, role: string, subjects: readonly Subject[], namespace?: string): OwnObject {
  return { ...owned(name, namespace), roleRef: { apiGroup: API_GROUP, kind, name: role }, ...(subjects.length === 0 ? {} : { subjects }) };
}

function subjectOf(text: string): Subject {
  const space = text.indexOf(" ");
  const [kind, name] = [text.slice(0, space), text.slice(space + 1)];
  if (kind !== "ServiceAccount") return { kind, apiGroup: API_GROUP, name };
  const [namespace = "", account = ""] = name.split("/");
  return { kind, namespace, name: account };
}

function reconcile(served: Served, kind: Kind, object: OwnObject, signal: AbortSignal): Promise<void> {
  return reconcileObject(served, kind, object, completed, signal);
}

/** The object with what it lacks, or itself. */
function completed(current: KubeObject, wanted: KubeObject): KubeObject {
  if (current.metadata.annotations?.[AUTOUPDATE] === "false") return current;
  let next = current;
  const rules = (current as ClusterRole).rules ?? [];
  const missingRules = rulesNotCovered(rules, (wanted as ClusterRole).rules ?? []);
  if ((wanted as ClusterRole).rules !== undefined && (wanted as ClusterRole).aggregationRule === undefined && missingRules.length > 0) {
    next = { ...next, rules: [...rules, ...missingRules] } as KubeObject;
  }
  const subjects = (current as ClusterRoleBinding).subjects ?? [];
  const missing = ((wanted as ClusterRoleBinding).subjects ?? []).filter(
    (subject) => !subjects.some((own) => own.kind === subject.kind && own.name === subject.name && own.namespace === subject.namespace),
  );
  if (missing.length > 0) next = { ...next, subjects: [...subjects, ...missing] } as KubeObject;
  return next;
}
