import { isDeepStrictEqual } from "node:util";
import type { ClusterRole, PolicyRule, RoleBinding } from "#machinery/api/rbac-v1.ts";
import { forbidden, notFound } from "#machinery/status.ts";
import type { Authorizer } from "../auth/authorize.ts";
import type { Rbac } from "../auth/rbac.ts";
import { printRule, rulesNotCovered } from "../auth/rbac-rules.ts";
import { MASTERS } from "../auth/user.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

const GROUP = "rbac.authorization.k8s.io";

/** Nobody gives away rights that they do not have, unless they may `escalate` the role or `bind` it. */
export function rbacEscalation({ authorize, rbac }: { readonly authorize: Authorizer; readonly rbac: Rbac }): AdmissionPlugin {
  return {
    name: "RBACEscalation",
    async validate(request) {
      const { kind, operation, user } = request;
      if (kind.group !== GROUP || (operation !== "CREATE" && operation !== "UPDATE") || user.groups.includes(MASTERS)) return;
      switch (kind.kind) {
        case "Role":
        case "ClusterRole":
          return role(request);
        default:
          return binding(request);
      }
    },
  };

  async function role(request: AdmissionRequest): Promise<void> {
    const [next, previous] = [request.object as ClusterRole, request.previous as ClusterRole | undefined];
    if (
      previous !== undefined &&
      isDeepStrictEqual(next.rules, previous.rules) &&
      isDeepStrictEqual(next.aggregationRule, previous.aggregationRule)
    )
      return;
    if (await may(request, "escalate", request.kind.plural, request.name)) return;
    const wanted: readonly PolicyRule[] =
      next.aggregationRule === undefined
        ? (next.rules ?? [])
        : [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }, { verbs: ["*"], nonResourceURLs: ["*"] }, ...(next.rules ?? [])];
    await check(request, wanted, next.aggregationRule === undefined ? "" : "must have cluster-admin privileges to use an aggregationRule");
  }

  async function binding(request: AdmissionRequest): Promise<void> {
    const [next, previous] = [request.object as RoleBinding, request.previous as RoleBinding | undefined];
    if (previous !== undefined && isDeepStrictEqual(next.roleRef, previous.roleRef) && isDeepStrictEqual(next.subjects, previous.subjects))
      return;
    const { kind: roleKind, name } = next.roleRef;
    const plural = roleKind === "ClusterRole" ? "clusterroles" : "roles";
    if (await may(request, "bind", plural, name)) return;
    const rules = await rbac.rulesOf(next.roleRef, request.namespace);
    if (rules === undefined) throw notFound({ group: GROUP, plural }, name);
    await check(request, rules, "");
  }

  async function check(request: AdmissionRequest, wanted: readonly PolicyRule[], why: string): Promise<void> {
    const missing = rulesNotCovered(await rbac.rulesFor(request.user, request.namespace), wanted);
    if (missing.length === 0) return;
    const { user } = request;
    const who = `user ${JSON.stringify(user.name)} (groups=[${user.groups.map((group) => JSON.stringify(group)).join(" ")}])`;
    const message = `${who} is attempting to grant RBAC permissions not currently held:\n${missing.map(printRule).join("\n")}`;
    throw forbidden(request.kind, request.name, why === "" ? message : why);
  }

  async function may({ user, namespace }: AdmissionRequest, verb: string, resource: string, name: string): Promise<boolean> {
    const attributes = { user, verb, isResource: true, group: GROUP, version: "*", resource, subresource: "", namespace, name, path: "" };
    return (await authorize(attributes)).allowed;
  }
}
