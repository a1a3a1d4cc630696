import type { Node, PersistentVolumeClaim, Pod, Toleration } from "#machinery/api/core-v1.ts";
import type { Ingress } from "#machinery/api/networking-v1.ts";
import { RuntimeClassKind } from "#kinds/node/runtime-class.ts";
import { IngressClassKind } from "#kinds/networking/ingress-class.ts";
import { PriorityClassKind } from "#kinds/scheduling/priority-class.ts";
import { StorageClassKind } from "#kinds/storage/storage-class.ts";
import type { KubeObject } from "#machinery/object.ts";
import { forbidden } from "#machinery/status.ts";
import type { Objects } from "../objects.ts";
import type { AdmissionPlugin, AdmissionRequest } from "./admission.ts";

interface Deps {
  readonly objects: Objects;
}

const EVICT_AFTER_SECONDS = 300;
const NOT_READY = "node.kubernetes.io/not-ready";
const UNREACHABLE = "node.kubernetes.io/unreachable";

function isNewPod({ kind, operation, subresource }: AdmissionRequest): boolean {
  return kind.kind === "Pod" && operation === "CREATE" && subresource === "";
}

function refuse({ kind, name }: AdmissionRequest, why: string) {
  return forbidden({ group: kind.group, plural: kind.plural }, name, why);
}

/** Pods stay five minutes on a node that has gone, unless they say otherwise. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",
  admit(request) {
    const { object, kind, subresource } = request;
    if (kind.kind !== "Pod" || subresource !== "") return Promise.resolve(object);
    const pod = object as Pod;
    const tolerations = pod.spec?.tolerations ?? [];
    const added = [NOT_READY, UNREACHABLE].filter((key) => !tolerations.some((toleration) => toleratesNoExecute(toleration, key)));
    if (added.length === 0) return Promise.resolve(object);
    const extra: Toleration[] = added.map((key) => ({
      key,
      operator: "Exists",
      effect: "NoExecute",
      tolerationSeconds: EVICT_AFTER_SECONDS,
    }));
    return Promise.resolve({ ...pod, spec: { ...pod.spec, tolerations: [...tolerations, ...extra] } } as KubeObject);
  },
};

function toleratesNoExecute({ key = "", effect }: Toleration, taint: string): boolean {
  return (key === taint || key === "") && (effect === undefined || effect === "NoExecute");
}

/** Resolves the priority class to its number. */
export function priority({ objects }: Deps): AdmissionPlugin {
  return {
    name: "Priority",
    async admit(request) {
      const { object } = request;
      if (!isNewPod(request)) return object;
      const pod = object as Pod;
      const { priorityClassName = "" } = pod.spec ?? {};
      const found = priorityClassName === "" ? await defaultClass() : await objects.get(PriorityClassKind, undefined, priorityClassName);
      if (found === undefined && priorityClassName !== "") {
        throw refuse(request, `no PriorityClass with name ${priorityClassName} was found`);
      }
      const value = found?.value ?? 0;
      const preemptionPolicy = found?.preemptionPolicy ?? "PreemptLowerPriority";
      if (pod.spec?.priority !== undefined && pod.spec.priority !== value) {
        throw refuse(
          request,
          `the integer value of priority (${pod.spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
        );
      }
      const name = found === undefined ? {} : { priorityClassName: found.metadata.name };
      return {
        ...pod,
        spec: { ...pod.spec, ...name, priority: value, preemptionPolicy: pod.spec?.preemptionPolicy ?? preemptionPolicy },
      } as KubeObject;
    },
  };

  /** Of several global defaults the least one holds. */
  async function defaultClass() {
    const all = (await objects.list(PriorityClassKind)).filter(({ globalDefault }) => globalDefault === true);
    return all.toSorted((a, b) => (a.value ?? 0) - (b.value ?? 0))[0];
  }
}

/** Adds overhead and scheduling rules of the runtime class. */
export function runtimeClass({ objects }: Deps): AdmissionPlugin {
  return {
    name: "RuntimeClass",
    async admit(request) {
      const { object } = request;
      const pod = object as Pod;
      const { runtimeClassName = "" } = pod.spec ?? {};
      if (!isNewPod(request) || runtimeClassName === "") return object;
      const found = await objects.get(RuntimeClassKind, undefined, runtimeClassName);
      if (found === undefined) throw refuse(request, `pod rejected: RuntimeClass ${JSON.stringify(runtimeClassName)} not found`);
      const { nodeSelector = {}, tolerations = [] } = found.scheduling ?? {};
      for (const [key, value] of Object.entries(nodeSelector)) {
        if (pod.spec?.nodeSelector?.[key] !== undefined && pod.spec.nodeSelector[key] !== value) {
          throw refuse(
            request,
            `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${pod.spec.nodeSelector[key]}`,
          );
        }
      }
      const selector = { ...pod.spec?.nodeSelector, ...nodeSelector };
      const tolerated = [...(pod.spec?.tolerations ?? []), ...tolerations];
      return {
        ...pod,
        spec: {
          ...pod.spec,
          ...(found.overhead?.podFixed === undefined ? {} : { overhead: found.overhead.podFixed }),
          ...(Object.keys(selector).length === 0 ? {} : { nodeSelector: selector }),
          ...(tolerated.length === 0 ? {} : { tolerations: tolerated }),
        },
      } as KubeObject;
    },
  };
}

/** New nodes take no pods until they say that they are ready. */
export const taintNodesByCondition: AdmissionPlugin = {
  name: "TaintNodesByCondition",
  admit({ kind, operation, subresource, object }) {
    if (kind.kind !== "Node" || operation !== "CREATE" || subresource !== "") return Promise.resolve(object);
    const node = object as Node;
    const taints = node.spec?.taints ?? [];
    if (taints.some(({ key, effect }) => key === NOT_READY && effect === "NoSchedule")) return Promise.resolve(object);
    return Promise.resolve({
      ...node,
      spec: { ...node.spec, taints: [...taints, { key: NOT_READY, effect: "NoSchedule" }] },
    } as KubeObject);
  },
};

const DEFAULT_STORAGE = "storageclass.kubernetes.io/is-default-class";
const DEFAULT_STORAGE_BETA = "storageclass.beta.kubernetes.io/is-default-class";
const DEFAULT_INGRESS = "ingressclass.kubernetes.io/is-default-class";

/** Claims without a class get the default one, the newest where there are several. */
export function defaultStorageClass({ objects }: Deps): AdmissionPlugin {
  return {
    name: "DefaultStorageClass",
    async admit({ kind, operation, subresource, object }) {
      const claim = object as PersistentVolumeClaim;
      if (kind.kind !== "PersistentVolumeClaim" || operation !== "CREATE" || subresource !== "") return object;
      if (
        claim.spec?.storageClassName !== undefined ||
        claim.metadata?.annotations?.["volume.beta.kubernetes.io/storage-class"] !== undefined
      )
        return object;
      const [found] = (await objects.list(StorageClassKind))
        .filter(({ metadata }) => [DEFAULT_STORAGE, DEFAULT_STORAGE_BETA].some((key) => metadata.annotations?.[key] === "true"))
        .toSorted(newestFirst);
      return found === undefined ? object : ({ ...claim, spec: { ...claim.spec, storageClassName: found.metadata.name } } as KubeObject);
    },
  };
}

export function defaultIngressClass({ objects }: Deps): AdmissionPlugin {
  return {
    name: "DefaultIngressClass",
    async admit({ kind, operation, subresource, object }) {
      const ingress = object as Ingress;
      if (kind.kind !== "Ingress" || operation !== "CREATE" || subresource !== "") return object;
      if (ingress.spec?.ingressClassName !== undefined || ingress.metadata?.annotations?.["kubernetes.io/ingress.class"] !== undefined)
        return object;
      const [found] = (await objects.list(IngressClassKind))
        .filter(({ metadata }) => metadata.annotations?.[DEFAULT_INGRESS] === "true")
        .toSorted(newestFirst);
      return found === undefined
        ? object
        : ({ ...ingress, spec: { ...ingress.spec, ingressClassName: found.metadata.name } } as KubeObject);
    },
  };
}

function newestFirst(a: KubeObject, b: KubeObject): number {
  const [left = "", right = ""] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  if (left !== right) return left < right ? 1 : -1;
  return (a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1;
}
