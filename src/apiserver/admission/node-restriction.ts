import { isDeepStrictEqual } from "node:util";
import type { Node, Pod } from "#machinery/api/core-v1.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { StatusError } from "#machinery/status.ts";
import { forbidden } from "#machinery/status.ts";
import { nodeNameOf } from "../auth/user.ts";
import type { Objects } from "../objects.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

const MIRROR = "kubernetes.io/config.mirror";
const OWN_LABELS = new Set([
  "kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os", "beta.kubernetes.io/arch", "beta.kubernetes.io/os",
  "beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type", "topology.kubernetes.io/region", "topology.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
]); // biome-ignore format: one glance
const OWN_PREFIXES = ["kubelet.kubernetes.io", "node.kubernetes.io"];

/** A node's agent writes its own Node and the pods bound to it, and nothing that would give it more pods or more rights. */
export function nodeRestriction({ objects }: { readonly objects: Objects }): AdmissionPlugin {
  return {
    name: "NodeRestriction",
    async validate(request) {
      const node = nodeNameOf(request.user);
      if (node === undefined) return;
      const refuse = refuser(request);
      switch (request.kind.kind) {
        case "Pod":
          return pods(request, node, refuse);
        case "Node":
          nodes(request, node, refuse);
          return;
        case "Lease":
          if (request.namespace === "kube-node-lease" && request.name !== node) {
            throw refuse("can only access node lease with the same name as the requesting node");
          }
          return;
        case "CSINode":
          if (request.name !== node) throw refuse("can only access CSINode with the same name as the requesting node");
      }
    },
  };

  async function pods(request: AdmissionRequest, node: string, refuse: (why: string) => StatusError): Promise<void> {
    const { operation, subresource, object, previous, namespace, name } = request;
    if (operation === "CREATE" && subresource === "") {
      const pod = object as Pod;
      if (pod.metadata?.annotations?.[MIRROR] === undefined)
        throw refuse(`pod does not have ${JSON.stringify(MIRROR)} annotation, node ${JSON.stringify(node)} can only create mirror pods`);
      if (pod.spec?.nodeName !== node) throw refuse(`node ${JSON.stringify(node)} can only create pods with spec.nodeName set to itself`);
      if ((pod.spec.serviceAccountName ?? "") !== "")
        throw refuse(`node ${JSON.stringify(node)} can not create pods that reference a service account`);
      return;
    }
    const bound = (previous as Pod | undefined) ?? (await objects.get(PodKind, namespace, name));
    if (bound !== undefined && bound.spec?.nodeName !== node) {
      const does = operation === "DELETE" ? "delete pods" : subresource === "status" ? "update pod status for pods" : "evict pods";
      throw refuse(`node ${JSON.stringify(node)} can only ${does} with spec.nodeName set to itself`);
    }
    if (
      operation === "UPDATE" &&
      subresource === "status" &&
      !isDeepStrictEqual((object as Pod).metadata?.labels, bound?.metadata?.labels)
    ) {
      throw refuse(`node ${JSON.stringify(node)} cannot update labels through pod status`);
    }
  }

  function nodes({ operation, name, object, previous }: AdmissionRequest, node: string, refuse: (why: string) => StatusError): void {
    if (name !== node) throw refuse(`node ${JSON.stringify(node)} is not allowed to modify node ${JSON.stringify(name)}`);
    if (operation !== "CREATE" && operation !== "UPDATE") return;
    const [next, before] = [object as Node, previous as Node | undefined];
    if (operation === "UPDATE" && !isDeepStrictEqual(next.spec?.taints ?? [], before?.spec?.taints ?? [])) {
      throw refuse(`node ${JSON.stringify(node)} is not allowed to modify taints`);
    }
    const changed = changedLabels(next.metadata?.labels ?? {}, before?.metadata?.labels ?? {}).filter(isReserved);
    if (changed.length > 0) throw refuse(`is not allowed to modify labels: ${changed.join(", ")}`);
    if ((next.metadata?.ownerReferences ?? []).length > 0 && before?.metadata?.ownerReferences === undefined) {
      throw refuse("is not allowed to modify ownerReferences");
    }
  }
}

function changedLabels(next: Readonly<Record<string, string>>, before: Readonly<Record<string, string>>): readonly string[] {
  return [...new Set([...Object.keys(next), ...Object.keys(before)])].filter((key) => next[key] !== before[key]).toSorted();
}

/** Labels of Kubernetes that a node may not give itself. */
function isReserved(key: string): boolean {
  const prefix = key.includes("/") ? (key.split("/")[0] ?? "") : "";
  const within = (domain: string) => prefix === domain || prefix.endsWith(`.${domain}`);
  if (within("node-restriction.kubernetes.io")) return true;
  if (!within("kubernetes.io") && !within("k8s.io")) return false;
  return !OWN_LABELS.has(key) && !OWN_PREFIXES.some(within);
}

function refuser({ kind, name }: AdmissionRequest): (why: string) => StatusError {
  return (why) => forbidden({ group: kind.group, plural: kind.plural }, name, why);
}
