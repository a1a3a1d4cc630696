import { StatefulSetKind } from "#kinds/apps/stateful-set.ts";
import type { ControllerRevision, StatefulSet } from "#machinery/api/apps-v1.ts";
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, Volume } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { POD_HASH_LABEL } from "../controllerrevisions/revisions.ts";
import { controllerRef } from "../owners.ts";
import { podFromTemplate } from "../pods.ts";

const POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name";
const POD_INDEX_LABEL = "apps.kubernetes.io/pod-index";

export const startOf = ({ spec }: StatefulSet): number => spec.ordinals?.start ?? 0;
export const sizeOf = ({ spec }: StatefulSet): number => spec.replicas ?? 1;
export const podNameOf = (set: Stored<StatefulSet>, ordinal: number): string => `${set.metadata.name}-${ordinal}`;
export const revisionNameOf = (pod: Pod): string => pod.metadata.labels?.[POD_HASH_LABEL] ?? "";

/** The ordinal of a pod that carries the set's name; undefined: it is no member. */
export function ordinalOf(set: Stored<StatefulSet>, pod: Stored<Pod>): number | undefined {
  const match = /^(.*)-([0-9]+)$/.exec(pod.metadata.name);
  return match?.[1] === set.metadata.name ? Number(match[2]) : undefined;
}

/** Claims of the pod with this ordinal, as the templates of the set describe them. */
export function claimsOf(
  set: Stored<StatefulSet>,
  ordinal: number,
): readonly (PersistentVolumeClaim & { readonly metadata: { readonly name: string } })[] {
  const { namespace } = set.metadata;
  return (set.spec.volumeClaimTemplates ?? []).map(({ metadata, spec }) => ({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      name: `${metadata?.name ?? ""}-${podNameOf(set, ordinal)}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...metadata?.labels, ...set.spec.selector?.matchLabels },
      ...(metadata?.annotations === undefined ? {} : { annotations: metadata.annotations }),
    },
    spec,
  }));
}

/** The labels that identify a pod of the set. */
export function identityLabels(set: Stored<StatefulSet>, ordinal: number): Readonly<Record<string, string>> {
  return { [POD_NAME_LABEL]: podNameOf(set, ordinal), [POD_INDEX_LABEL]: String(ordinal) };
}

export function statefulPod(
  set: Stored<StatefulSet>,
  ordinal: number,
  template: PodTemplateSpec,
  revision: Stored<ControllerRevision>,
): Pod {
  const name = podNameOf(set, ordinal);
  const pod = podFromTemplate(template, set.metadata.namespace, controllerRef(StatefulSetKind, set));
  const claims: readonly Volume[] = (set.spec.volumeClaimTemplates ?? []).map(({ metadata }) => ({
    name: metadata?.name ?? "",
    persistentVolumeClaim: { claimName: `${metadata?.name ?? ""}-${name}` },
  }));
  const own = (pod.spec.volumes ?? []).filter((volume) => !claims.some((claim) => claim.name === volume.name));
  const volumes = [...claims, ...own];
  const { serviceName = "" } = set.spec;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      name,
      labels: { ...pod.metadata.labels, ...identityLabels(set, ordinal), [POD_HASH_LABEL]: revision.metadata.name },
    },
    spec: {
      ...pod.spec,
      hostname: name,
      ...(serviceName === "" ? {} : { subdomain: serviceName }),
      ...(volumes.length === 0 ? {} : { volumes }),
    },
  };
}
