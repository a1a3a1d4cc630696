import type { InformerEvent, Patch } from "#client/contract.ts";
import { apiVersionOf, type KindRef } from "#kinds/kind.ts";
import type { ObjectMeta, OwnerReference } from "#machinery/api/meta-v1.ts";
import { type KubeObject, keyOf, type Stored } from "#machinery/object.ts";
import { matchesLabels, type ParsedLabelSelector } from "#machinery/selector.ts";
import type { Action } from "./action.ts";

export function controllerOf(object: { readonly metadata: ObjectMeta }): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true);
}

/** The reference that makes `owner` the controller of what carries it. */
export function controllerRef(kind: KindRef, owner: Stored<KubeObject>): OwnerReference {
  const { name, uid } = owner.metadata;
  return { apiVersion: apiVersionOf(kind), kind: kind.kind, name, uid, controller: true, blockOwnerDeletion: true };
}

/** Whether `ref` points to `kind`, in whatever version of its group. */
export function refersTo(ref: OwnerReference, kind: KindRef): boolean {
  return ref.kind === kind.kind && groupOf(ref.apiVersion) === kind.group;
}

export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash === -1 ? "" : apiVersion.slice(0, slash);
}

/** Index function: the uid of the controller. */
export function controllerUid(object: KubeObject): readonly string[] {
  const ref = controllerOf(object);
  return ref === undefined ? [] : [ref.uid];
}

/** Index function: the namespace of objects without controller. */
export function orphanNamespace(object: KubeObject): readonly string[] {
  return controllerOf(object) === undefined ? [object.metadata.namespace ?? ""] : [];
}

/**
 * Keys of the owners that an event about a dependent concerns: its controller before and after, or, for an orphan, every owner
 * in its namespace that would select it.
 */
export function ownerKeys<T extends KubeObject>(
  kind: KindRef,
  event: InformerEvent<T>,
  selecting: (orphan: Stored<T>) => readonly Stored<KubeObject>[],
): readonly string[] {
  const keys = new Set<string>();
  const states = event.type === "updated" ? [event.previous, event.object] : [event.object];
  for (const object of states) {
    const ref = controllerOf(object);
    if (ref !== undefined) {
      if (refersTo(ref, kind)) keys.add(`${object.metadata.namespace}/${ref.name}`);
    } else if (event.type !== "deleted") for (const owner of selecting(object)) keys.add(keyOf(owner));
  }
  return [...keys];
}

/** Adopts matching orphans and releases what matches no longer. `candidates` are orphans and what the owner controls. */
export function claim<T extends KubeObject>(
  owner: Stored<KubeObject>,
  ownerKind: KindRef,
  selector: ParsedLabelSelector,
  kind: KindRef,
  candidates: readonly Stored<T>[],
): { readonly claimed: readonly Stored<T>[]; readonly actions: readonly Action[] } {
  const claimed: Stored<T>[] = [];
  const actions: Action[] = [];
  for (const object of candidates) {
    const ref = controllerOf(object);
    const matches = matchesLabels(selector, object.metadata.labels);
    if (ref !== undefined) {
      if (ref.uid !== owner.metadata.uid) continue;
      if (matches) claimed.push(object);
      else if (owner.metadata.deletionTimestamp === undefined && object.metadata.deletionTimestamp === undefined) {
        const rest = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid);
        actions.push(setOwners(kind, object, rest, "released: its labels match no longer"));
      }
    } else if (matches && owner.metadata.deletionTimestamp === undefined && object.metadata.deletionTimestamp === undefined) {
      claimed.push(object);
      const owners = [...(object.metadata.ownerReferences ?? []), controllerRef(ownerKind, owner)];
      actions.push(setOwners(kind, object, owners, "adopted: its labels match"));
    }
  }
  return { claimed, actions };
}

/** Replaces the owner list as it was read: the resource version makes a change in between a conflict. */
export function setOwners(kind: KindRef, object: Stored<KubeObject>, owners: readonly OwnerReference[], because: string): Action {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const patch: Patch = {
    type: "merge",
    body: { metadata: { uid, resourceVersion, ownerReferences: owners.length === 0 ? null : owners } },
  };
  return { do: "patch", kind, object: { name, namespace }, patch, because };
}
