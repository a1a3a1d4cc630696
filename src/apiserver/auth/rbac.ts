import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject } from "#machinery/api/rbac-v1.ts";
import { ClusterRoleBindingKind } from "#kinds/rbac/cluster-role-binding.ts";
import { ClusterRoleKind } from "#kinds/rbac/cluster-role.ts";
import { RoleBindingKind } from "#kinds/rbac/role-binding.ts";
import { RoleKind } from "#kinds/rbac/role.ts";
import type { Objects } from "../objects.ts";
import type { Attributes, Decision } from "./authorize.ts";
import { ruleAllows } from "./rbac-rules.ts";
import type { User } from "./user.ts";

/** Rules that one binding gives to a subject. */
interface Grant {
  readonly rules: readonly PolicyRule[];
  /** `ClusterRoleBinding "x" of ClusterRole "y"`. */
  readonly source: string;
  readonly subject: string;
}

/** Grants by subject (`User alice`, `Group system:nodes`); a service account is a user by its full name. */
type Index = ReadonlyMap<string, readonly Grant[]>;

export interface Rbac {
  authorize(attributes: Attributes): Promise<Decision>;
  /** All rules that hold for a user in a namespace ("" only those that hold everywhere). */
  rulesFor(user: User, namespace: string): Promise<readonly PolicyRule[]>;
  /** The rules a role reference stands for; undefined where the role does not exist. */
  rulesOf(ref: RoleRef, namespace: string): Promise<readonly PolicyRule[] | undefined>;
}

/** Role-based authorization over the server's caches. The index is made anew when one of the four kinds has changed. */
export function createRbac(objects: Objects): Rbac {
  let inputs: readonly unknown[] = [];
  let cluster: Index = new Map();
  let namespaced: ReadonlyMap<string, Index> = new Map();

  return {
    async authorize(attributes) {
      const grant = await find(attributes);
      if (grant === undefined) return { allowed: false, reason: "" };
      return { allowed: true, reason: `RBAC: allowed by ${grant.source} to ${grant.subject}` };
    },
    async rulesFor(user, namespace) {
      await refresh();
      const indexes = [cluster, ...(namespace === "" ? [] : [namespaced.get(namespace) ?? new Map<string, readonly Grant[]>()])];
      return indexes.flatMap((index) => subjectsOf(user).flatMap((subject) => (index.get(subject) ?? []).flatMap(({ rules }) => rules)));
    },
    async rulesOf(ref, namespace) {
      if (ref.kind === "ClusterRole") return (await objects.get(ClusterRoleKind, undefined, ref.name ?? ""))?.rules ?? undefined;
      return (await objects.get(RoleKind, namespace, ref.name ?? ""))?.rules ?? undefined;
    },
  };

  async function find(attributes: Attributes): Promise<Grant | undefined> {
    await refresh();
    const subjects = subjectsOf(attributes.user);
    const indexes = attributes.namespace === "" || !attributes.isResource ? [cluster] : [cluster, namespaced.get(attributes.namespace)];
    for (const index of indexes) {
      if (index === undefined) continue;
      for (const subject of subjects) {
        for (const grant of index.get(subject) ?? []) if (grant.rules.some((rule) => ruleAllows(rule, attributes))) return grant;
      }
    }
    return undefined;
  }

  async function refresh(): Promise<void> {
    const [clusterBindings, bindings, clusterRoles, roles] = await Promise.all([
      objects.list(ClusterRoleBindingKind),
      objects.list(RoleBindingKind),
      objects.list(ClusterRoleKind),
      objects.list(RoleKind),
    ]);
    const next = [clusterBindings, bindings, clusterRoles, roles];
    if (next.every((list, i) => list === inputs[i])) return;
    inputs = next;
    ({ cluster, namespaced } = buildIndex(clusterBindings, bindings, clusterRoles, roles));
  }
}

/** Pure. Bindings whose role does not exist give nothing. */
function buildIndex(
  clusterBindings: readonly ClusterRoleBinding[],
  bindings: readonly RoleBinding[],
  clusterRoles: readonly ClusterRole[],
  roles: readonly Role[],
): { readonly cluster: Index; readonly namespaced: ReadonlyMap<string, Index> } {
  const clusterRulesOf = new Map(clusterRoles.map(({ metadata, rules }) => [metadata?.name ?? "", rules ?? []]));
  const rulesOf = new Map(roles.map(({ metadata, rules }) => [`${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`, rules ?? []]));
  const cluster = new Map<string, Grant[]>();
  const namespaced = new Map<string, Map<string, Grant[]>>();
  for (const { metadata, roleRef, subjects } of clusterBindings) {
    const source = `ClusterRoleBinding ${JSON.stringify(metadata?.name)} of ClusterRole ${JSON.stringify(roleRef.name)}`;
    add(cluster, clusterRulesOf.get(roleRef.name ?? ""), source, subjects ?? [], "");
  }
  for (const { metadata, roleRef, subjects } of bindings) {
    const namespace = metadata?.namespace ?? "";
    const found =
      roleRef.kind === "ClusterRole" ? clusterRulesOf.get(roleRef.name ?? "") : rulesOf.get(`${namespace}/${roleRef.name ?? ""}`);
    const source = `RoleBinding ${JSON.stringify(`${metadata?.name ?? ""}/${namespace}`)} of ${roleRef.kind} ${JSON.stringify(roleRef.name)}`;
    const index = namespaced.get(namespace) ?? new Map<string, Grant[]>();
    namespaced.set(namespace, index);
    add(index, found, source, subjects ?? [], namespace);
  }
  return { cluster, namespaced };
}

function add(
  index: Map<string, Grant[]>,
  rules: readonly PolicyRule[] | undefined,
  source: string,
  subjects: readonly Subject[],
  defaultNamespace: string,
): void {
  if (rules === undefined) return;
  for (const { kind, name = "", namespace = defaultNamespace } of subjects) {
    const key = kind === "ServiceAccount" ? `User system:serviceaccount:${namespace}:${name}` : `${kind} ${name}`;
    const subject =
      kind === "ServiceAccount" ? `ServiceAccount ${JSON.stringify(`${name}/${namespace}`)}` : `${kind} ${JSON.stringify(name)}`;
    const grants = index.get(key) ?? [];
    grants.push({ rules, source, subject });
    index.set(key, grants);
  }
}

function subjectsOf(user: User): readonly string[] {
  return [`User ${user.name}`, ...user.groups.map((group) => `Group ${group}`)];
}
