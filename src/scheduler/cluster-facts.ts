import type { InformerFactory } from "#client/contract.ts";
import { ReplicaSetKind } from "#kinds/apps/replica-set.ts";
import { StatefulSetKind } from "#kinds/apps/stateful-set.ts";
import { PersistentVolumeClaimKind } from "#kinds/core/persistent-volume-claim.ts";
import { PersistentVolumeKind } from "#kinds/core/persistent-volume.ts";
import { ReplicationControllerKind } from "#kinds/core/replication-controller.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { labelSelectorFrom, type LabelRequirement, matchesLabels, type ParsedLabelSelector, selectorFromMap } from "#machinery/selector.ts";
import type { ClusterFacts } from "./plugins/plugin.ts";
import type { PodFacts } from "./pod-facts.ts";

export interface FollowedFacts extends ClusterFacts {
  readonly synced: Promise<unknown>;
}

/** Services, owners and volumes from the caches. `onVolume` hears of every change of a claim or volume. */
export function followFacts(informers: InformerFactory, onVolume: () => void): FollowedFacts {
  const services = informers.informer(ServiceKind);
  const replicationControllers = informers.informer(ReplicationControllerKind);
  const replicaSets = informers.informer(ReplicaSetKind);
  const statefulSets = informers.informer(StatefulSetKind);
  const claims = informers.informer(PersistentVolumeClaimKind);
  const volumes = informers.informer(PersistentVolumeKind);
  /** Services ask for the same answer again and again: pods of one owner have the same labels. */
  const serviceRequirements = new Map<string, readonly LabelRequirement[]>();

  services.onEvent((event) => {
    if (event.type === "updated" && JSON.stringify(event.object.spec.selector) === JSON.stringify(event.previous.spec.selector)) return;
    serviceRequirements.clear();
  });
  claims.onEvent(onVolume);
  volumes.onEvent(onVolume);

  return {
    synced: Promise.all([services, replicationControllers, replicaSets, statefulSets, claims, volumes].map(({ synced }) => synced)),
    claim: (namespace, name) => claims.lister.get({ namespace, name }),
    volume: (name) => volumes.lister.get({ name }),
    spreadSelector(pod) {
      const requirements = [...fromServices(pod), ...fromOwner(pod)];
      return requirements.length === 0 ? undefined : { requirements };
    },
  };

  function fromServices({ namespace, labels }: PodFacts): readonly LabelRequirement[] {
    const key = JSON.stringify([namespace, labels]);
    let requirements = serviceRequirements.get(key);
    if (requirements === undefined) {
      const selectors = services.lister
        .list(namespace)
        .map(({ spec }) => spec.selector ?? {})
        .filter((selector) => matchesLabels(selectorFromMap(selector), labels));
      const merged = Object.assign({}, ...selectors) as Readonly<Record<string, string>>;
      requirements = Object.keys(merged).length === 0 ? [] : selectorFromMap(merged).requirements;
      if (serviceRequirements.size >= MEMO_MAX) serviceRequirements.clear();
      serviceRequirements.set(key, requirements);
    }
    return requirements;
  }

  function fromOwner({ pod, namespace }: PodFacts): readonly LabelRequirement[] {
    const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
    if (owner === undefined) return [];
    const ref = { name: owner.name, namespace };
    let selector: ParsedLabelSelector | undefined;
    if (owner.kind === "ReplicationController") selector = selectorFromMap(replicationControllers.lister.get(ref)?.spec.selector);
    else if (owner.kind === "ReplicaSet") selector = labelSelectorFrom(replicaSets.lister.get(ref)?.spec.selector);
    else if (owner.kind === "StatefulSet") selector = labelSelectorFrom(statefulSets.lister.get(ref)?.spec.selector);
    return selector?.requirements ?? [];
  }
}

const MEMO_MAX = 10_000;
