import type { KindRef } from "#kinds/kind.ts";
import type { OwnerReference } from "#machinery/api/meta-v1.ts";
import { type KubeObject, refOf, type Stored } from "#machinery/object.ts";
import { NOTHING_TO_DO, type Action, type Plan } from "../action.ts";
import { setOwners } from "../owners.ts";

export interface Known {
  readonly kind: KindRef;
  readonly object: Stored<KubeObject>;
}

/** What is true of an owner: `absent` was asked of the server, not of a cache. */
export type OwnerState = "present" | "absent" | "waiting";

export interface ObservedItem {
  readonly item: Known;
  /** In the order of `ownerReferences`; "waiting": it is being deleted in the foreground. */
  readonly owners: readonly { readonly ref: OwnerReference; readonly state: OwnerState }[];
  readonly dependents: readonly Known[];
}

export const FOREGROUND = "foregroundDeletion";
export const ORPHAN = "orphan";

export function planGarbage(observed: ObservedItem): Plan {
  const { item } = observed;
  const { deletionTimestamp, finalizers = [] } = item.object.metadata;
  if (deletionTimestamp !== undefined) {
    if (finalizers.includes(ORPHAN)) return planOrphaning(observed);
    if (finalizers.includes(FOREGROUND)) return planForeground(observed);
    return NOTHING_TO_DO;
  }
  return planItem(observed);
}

/** An object is garbage when it has owners and none of them stays. */
function planItem({ item, owners, dependents }: ObservedItem): Plan {
  const { object, kind } = item;
  if (owners.length === 0) return NOTHING_TO_DO;
  const staying = owners.filter(({ state }) => state === "present");
  if (staying.length === owners.length) return NOTHING_TO_DO;
  if (staying.length > 0) {
    const refs = staying.map(({ ref }) => ref);
    return { actions: [setOwners(kind, object, refs, "other owners are gone")] };
  }
  const waiting = owners.some(({ state }) => state === "waiting");
  // A dependent that itself waits for its own dependents may be part of a cycle: it must not block.
  const deadlocked = waiting ? dependents.filter((dependent) => waitsForDependents(dependent)) : [];
  const { finalizers = [] } = object.metadata;
  const propagationPolicy =
    (waiting && dependents.length > 0) || finalizers.includes(FOREGROUND)
      ? "Foreground"
      : finalizers.includes(ORPHAN)
        ? "Orphan"
        : "Background";
  return {
    actions: [
      ...deadlocked.flatMap((dependent) => unblocked(dependent, object.metadata.uid)),
      {
        do: "delete",
        kind,
        object: refOf(object),
        because: "its owners are gone",
        options: { propagationPolicy, resourceVersion: object.metadata.resourceVersion },
      },
    ],
  };
}

/** An owner that waits for its dependents goes when none of them blocks it any more. Dependents are planned under their own keys. */
function planForeground({ item, dependents }: ObservedItem): Plan {
  const { uid } = item.object.metadata;
  const blocking = dependents.some(({ object }) =>
    (object.metadata.ownerReferences ?? []).some((ref) => ref.uid === uid && ref.blockOwnerDeletion === true),
  );
  return blocking ? NOTHING_TO_DO : { actions: [dropFinalizer(item, FOREGROUND)] };
}

/** Dependents are let go first; their owner follows when the caches show that none is left. */
function planOrphaning({ item, dependents }: ObservedItem): Plan {
  const { uid } = item.object.metadata;
  if (dependents.length === 0) return { actions: [dropFinalizer(item, ORPHAN)] };
  return {
    actions: dependents.map(({ kind, object }) =>
      setOwners(
        kind,
        object,
        (object.metadata.ownerReferences ?? []).filter((ref) => ref.uid !== uid),
        "its owner orphans it",
      ),
    ),
  };
}

function waitsForDependents({ object: { metadata } }: Known): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(FOREGROUND);
}

function unblocked({ kind, object }: Known, ownerUid: string): readonly Action[] {
  const refs = object.metadata.ownerReferences ?? [];
  if (!refs.some((ref) => ref.uid === ownerUid && ref.blockOwnerDeletion === true)) return [];
  return [
    setOwners(
      kind,
      object,
      refs.map((ref) => (ref.uid === ownerUid ? { ...ref, blockOwnerDeletion: false } : ref)),
      "it must not block",
    ),
  ];
}

function dropFinalizer({ kind, object }: Known, finalizer: string): Action {
  const { name, namespace, uid, resourceVersion, finalizers = [] } = object.metadata;
  const rest = finalizers.filter((present) => present !== finalizer);
  return {
    do: "patch",
    kind,
    object: { name, namespace },
    patch: { type: "merge", body: { metadata: { uid, resourceVersion, finalizers: rest.length === 0 ? null : rest } } },
    because: `${finalizer} is done`,
  };
}
