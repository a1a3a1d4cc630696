import { PersistentVolumeClaimKind } from "#kinds/core/persistent-volume-claim.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { StatefulSetKind } from "#kinds/apps/stateful-set.ts";
import type { StatefulSet } from "#machinery/api/apps-v1.ts";
import type { PersistentVolumeClaim, Pod } from "#machinery/api/core-v1.ts";
import type { OwnerReference } from "#machinery/api/meta-v1.ts";
import type { Stored } from "#machinery/object.ts";
import type { Action } from "../action.ts";
import { controllerRef, setOwners } from "../owners.ts";
import { claimsOf, podNameOf } from "./identity.ts";

export type ClaimNamed = (name: string) => Stored<PersistentVolumeClaim> | undefined;

/** Claims the pod needs that do not exist. */
export function missingClaims(set: Stored<StatefulSet>, ordinal: number, claimNamed: ClaimNamed): readonly Action[] {
  const pod = podNameOf(set, ordinal);
  return claimsOf(set, ordinal)
    .filter(({ metadata }) => claimNamed(metadata.name) === undefined)
    .map((claim) => ({
      do: "create",
      kind: PersistentVolumeClaimKind,
      object: claim,
      orExists: true,
      announce: {
        about: set,
        done: "SuccessfulCreate",
        failed: "FailedCreate",
        noun: "claim",
        wording: {
          done: `create Claim ${claim.metadata.name} Pod ${pod} in StatefulSet ${set.metadata.name} success`,
          failed: `create Claim ${claim.metadata.name} for Pod ${pod} in StatefulSet ${set.metadata.name} failed error: `,
        },
      },
    }));
}

/** A claim that goes away, with a pod that was here before, would take the new pod's data with it. */
export function hasStaleClaim(set: Stored<StatefulSet>, ordinal: number, claimNamed: ClaimNamed): boolean {
  const name = podNameOf(set, ordinal);
  return claimsOf(set, ordinal).some(({ metadata }) => {
    const claim = claimNamed(metadata.name);
    if (claim === undefined) return false;
    const ofPod = (claim.metadata.ownerReferences ?? []).some((ref) => ref.kind === "Pod" && ref.name === name);
    return claim.metadata.deletionTimestamp !== undefined || ofPod;
  });
}

/** Owners that make the garbage collector keep to the retention policy; `condemned`: the pod is beyond the size of its set. */
export function claimOwners(
  set: Stored<StatefulSet>,
  ordinal: number,
  pod: Stored<Pod>,
  condemned: boolean,
  claimNamed: ClaimNamed,
): readonly Action[] {
  const { whenDeleted = "Retain", whenScaled = "Retain" } = set.spec.persistentVolumeClaimRetentionPolicy ?? {};
  const byPod = whenScaled === "Delete" && condemned;
  const bySet = whenDeleted === "Delete" && !byPod;
  return claimsOf(set, ordinal).flatMap(({ metadata }) => {
    const claim = claimNamed(metadata.name);
    if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) return [];
    const present = claim.metadata.ownerReferences ?? [];
    const isOurs = (ref: OwnerReference) =>
      ref.uid === set.metadata.uid || (ref.kind === "Pod" && ref.name === pod.metadata.name && ref.apiVersion === "v1");
    const wanted = [...(bySet ? [controllerRef(StatefulSetKind, set)] : []), ...(byPod ? [controllerRef(PodKind, pod)] : [])];
    const ours = present.filter(isOurs);
    if (ours.length === wanted.length && wanted.every(({ uid }) => ours.some((ref) => ref.uid === uid))) return [];
    const owners = [...present.filter((ref) => !isOurs(ref)), ...wanted];
    return [setOwners(PersistentVolumeClaimKind, claim, owners, "the retention policy of its StatefulSet")];
  });
}
