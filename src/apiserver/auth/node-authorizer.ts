import type { Pod } from "#machinery/api/core-v1.ts";
import { PersistentVolumeKind } from "#kinds/core/persistent-volume.ts";
import { PersistentVolumeClaimKind } from "#kinds/core/persistent-volume-claim.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { VolumeAttachmentKind } from "#kinds/storage/volume-attachment.ts";
import { exactField, parseFieldSelector, SelectorError } from "#machinery/selector.ts";
import { NODE_RULES } from "../bootstrap/roles.ts";
import type { Objects } from "../objects.ts";
import type { Resources } from "../resource.ts";
import type { Attributes, Authorizer, Decision } from "./authorize.ts";
import { type PodReferences, podReferences } from "./pod-references.ts";
import { ruleAllows } from "./rbac-rules.ts";
import { nodeNameOf } from "./user.ts";

export interface NodeAuthorizerDeps {
  readonly resources: Resources;
  readonly objects: Objects;
}

const NO_OPINION: Decision = { allowed: false, reason: "" };
const ALLOWED: Decision = { allowed: true, reason: "" };
const deny = (reason: string): Decision => ({ allowed: false, reason });

/**
 * What a node's agent may do: its own Node, Lease and CSINode, the pods bound to it, and the secrets, config maps, claims and volumes that
 * those pods refer to; for everything else the fixed rules of nodes.
 */
export function createNodeAuthorizer({ resources, objects }: NodeAuthorizerDeps): Authorizer {
  return async (attributes) => {
    const node = nodeNameOf(attributes.user);
    if (node === undefined) return NO_OPINION;
    if (!attributes.isResource) return NO_OPINION;
    switch (`${attributes.resource}.${attributes.group}`) {
      case "secrets.":
        return byReference(node, attributes, (refs) => refs.secrets);
      case "configmaps.":
        return byReference(node, attributes, (refs) => refs.configMaps);
      case "persistentvolumeclaims.":
        if (attributes.subresource === "status") return byReference(node, attributes, (refs) => refs.claims, ["get", "update", "patch"]);
        return byReference(node, attributes, (refs) => refs.claims);
      case "resourceclaims.resource.k8s.io":
        return byReference(node, attributes, (refs) => refs.resourceClaims);
      case "persistentvolumes.":
        return volume(node, attributes);
      case "volumeattachments.storage.k8s.io":
        return attachment(node, attributes);
      case "serviceaccounts.":
        return attributes.subresource === "token" ? token(node, attributes) : serviceAccount(node, attributes);
      case "leases.coordination.k8s.io":
        return lease(node, attributes);
      case "csinodes.storage.k8s.io":
        return ownNamed(node, attributes, "CSINode");
      case "nodes.":
        return ownNode(node, attributes);
      case "pods.":
        return ownPods(node, attributes);
      default:
        return NODE_RULES.some((rule) => ruleAllows(rule, attributes)) ? ALLOWED : NO_OPINION;
    }
  };

  async function byReference(
    node: string,
    { verb, name, namespace, subresource }: Attributes,
    names: (refs: PodReferences) => ReadonlySet<string>,
    verbs: readonly string[] = ["get", "list", "watch"],
  ): Promise<Decision> {
    if (!verbs.includes(verb)) return deny(`can only read resources of this type`);
    if (subresource !== "" && !verbs.includes("update")) return deny("cannot read subresource");
    if (namespace === "") return deny("can only read namespaced object of this type");
    if (name === "") return deny("No Object name found");
    const pods = await podsOn(node, namespace);
    return pods.some((pod) => names(podReferences(pod)).has(name)) ? ALLOWED : deny(unrelated(node));
  }

  async function volume(node: string, { verb, name, subresource }: Attributes): Promise<Decision> {
    if (verb !== "get" || subresource !== "" || name === "") return deny("can only get individual resources of this type");
    const found = await objects.get(PersistentVolumeKind, undefined, name);
    const { namespace = "", name: claim = "" } = found?.spec?.claimRef ?? {};
    const pods = claim === "" ? [] : await podsOn(node, namespace);
    const bound = pods.some((pod) => podReferences(pod).claims.has(claim));
    const claimed = bound ? await objects.get(PersistentVolumeClaimKind, namespace, claim) : undefined;
    return claimed?.spec?.volumeName === name ? ALLOWED : deny(unrelated(node));
  }

  async function attachment(node: string, { verb, name, subresource }: Attributes): Promise<Decision> {
    if (verb !== "get" || subresource !== "" || name === "") return deny("can only get individual resources of this type");
    const found = await objects.get(VolumeAttachmentKind, undefined, name);
    return found?.spec?.nodeName === node ? ALLOWED : deny(unrelated(node));
  }

  async function token(node: string, { verb, name, namespace }: Attributes): Promise<Decision> {
    if (verb !== "create") return deny("only create tokens");
    if (name === "") return deny("can only create tokens for individual service accounts");
    return usesAccount(node, namespace, name);
  }

  async function serviceAccount(node: string, { verb, name, namespace, subresource }: Attributes): Promise<Decision> {
    if (verb !== "get" || subresource !== "" || name === "") return deny("can only get individual resources of this type");
    return usesAccount(node, namespace, name);
  }

  async function usesAccount(node: string, namespace: string, name: string): Promise<Decision> {
    const pods = await podsOn(node, namespace);
    return pods.some(({ spec }) => spec?.serviceAccountName === name) ? ALLOWED : deny(unrelated(node));
  }

  async function ownPods(node: string, attributes: Attributes): Promise<Decision> {
    const { verb, name, namespace, subresource } = attributes;
    if (subresource !== "" || (verb !== "get" && verb !== "list" && verb !== "watch")) {
      return NODE_RULES.some((rule) => ruleAllows(rule, attributes)) ? ALLOWED : NO_OPINION;
    }
    if (verb === "get") {
      const pod = await objects.get(PodKind, namespace, name);
      return pod === undefined || pod.spec?.nodeName === node ? ALLOWED : deny(unrelated(node));
    }
    return selects(attributes, "spec.nodeName", node) ? ALLOWED : deny("can only list/watch pods with spec.nodeName field selector");
  }

  /** Pods bound to the node, without looking into those that are not. */
  async function podsOn(node: string, namespace: string): Promise<readonly Pod[]> {
    const resource = await resources.open(PodKind);
    const { entries } = resource.cache.list(resource.prefixOf(namespace === "" ? undefined : namespace));
    return entries.filter((entry) => entry.fields["spec.nodeName"] === node).map((entry) => resource.parse(entry));
  }
}

function lease(node: string, { verb, name, namespace, subresource }: Attributes): Decision {
  if (subresource !== "") return deny(`cannot access subresources of leases`);
  if (!["get", "create", "update", "patch", "delete"].includes(verb))
    return deny("can only get, create, update, patch, or delete a node lease");
  if (namespace !== "kube-node-lease") return deny(`can only access leases in the "kube-node-lease" system namespace`);
  if (verb !== "create" && name !== node) return deny("can only access node lease with the same name as the requesting node");
  return ALLOWED;
}

function ownNamed(node: string, { verb, name, subresource }: Attributes, kind: string): Decision {
  if (subresource !== "") return deny(`cannot authorize ${kind} subresources`);
  if (!["get", "create", "update", "patch", "delete"].includes(verb))
    return deny(`can only get, create, update, patch, or delete a ${kind}`);
  if (verb !== "create" && name !== node) return deny(`can only access ${kind} with the same name as the requesting node`);
  return ALLOWED;
}

function ownNode(node: string, attributes: Attributes): Decision {
  const { verb, name, subresource } = attributes;
  if (subresource === "" && ["get", "list", "watch"].includes(verb)) {
    const own = verb === "get" ? name === node : name === node || selects(attributes, "metadata.name", node);
    return own ? ALLOWED : deny(`node '${node}' cannot read '${name}', only its own Node object`);
  }
  return NODE_RULES.some((rule) => ruleAllows(rule, attributes)) ? ALLOWED : NO_OPINION;
}

function selects({ fieldSelector = "" }: Attributes, field: string, value: string): boolean {
  try {
    return exactField(parseFieldSelector(fieldSelector), field) === value;
  } catch (cause) {
    if (cause instanceof SelectorError) return false;
    throw cause;
  }
}

function unrelated(node: string): string {
  return `no relationship found between node '${node}' and this object`;
}
