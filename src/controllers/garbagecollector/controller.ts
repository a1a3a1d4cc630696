import type { Informer, InformerEvent } from "#client/contract.ts";
import { CustomResourceDefinitionKind } from "#kinds/apiextensions/custom-resource-definition.ts";
import { EventKind } from "#kinds/core/event.ts";
import type { Kind } from "#kinds/kind.ts";
import type { OwnerReference } from "#machinery/api/meta-v1.ts";
import type { KubeObject, Stored } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";
import { type ControllerDeps, defineController, type Watch, watching } from "../define.ts";
import { groupOf } from "../owners.ts";
import { KEPT_KINDS, kindOfCrd } from "../served-kinds.ts";
import { FOREGROUND, type Known, type OwnerState, planGarbage } from "./plan.ts";

const uidIndex = ({ metadata: { uid } }: Stored<KubeObject>): readonly string[] => [uid];
const ownerIndex = ({ metadata: { ownerReferences = [] } }: Stored<KubeObject>): readonly string[] => ownerReferences.map(({ uid }) => uid);

/**
 * Deletes what lost its owners and finishes foreground and orphaning deletions, over all kinds. The graph is the caches
 * themselves, indexed by uid and by owner; keys are uids. That an owner is absent is believed only of the server.
 */
export const garbageCollectorController = defineController({
  name: "garbagecollector",
  component: "garbage-collector-controller",
  workers: 20,
  connect({ client, informers }: ControllerDeps) {
    const followed = new Map<string, Informer<KubeObject>>();
    const crds = informers.informer(CustomResourceDefinitionKind);
    const absent = new Set<string>(); // uids never come back
    const watches: Watch[] = KEPT_KINDS.filter(({ storagePrefix }) => storagePrefix !== EventKind.storagePrefix).map(follow);

    return {
      watches,
      discover(add) {
        crds.onEvent(({ type, object }) => {
          const kind = kindOfCrd(object);
          if (type === "deleted" || kind === undefined || followed.has(idOf(kind))) return;
          add(follow(kind));
        });
      },
      async observe(uid, { signal }) {
        const item = find(uid);
        if (item === undefined) return undefined;
        const refs = item.object.metadata.ownerReferences ?? [];
        if (refs.length === 0 && item.object.metadata.deletionTimestamp === undefined) return undefined;
        const owners = await Promise.all(refs.map(async (ref) => ({ ref, state: await stateOf(ref, item, signal) })));
        return { item, owners, dependents: dependentsOf(uid) };
      },
    };

    function follow(kind: Kind): Watch {
      const informer = informers.informer(kind, { indexes: { uid: uidIndex, owner: ownerIndex } });
      followed.set(idOf(kind), informer);
      return watching(informer, keysFor);
    }

    function keysFor(event: InformerEvent<KubeObject>): readonly string[] {
      const { type, object } = event;
      const { uid, ownerReferences = [], deletionTimestamp } = object.metadata;
      if (type === "deleted") {
        absent.add(uid);
        if (absent.size > ABSENT_MAX) absent.clear();
        return [...dependentsOf(uid).map(({ object: { metadata } }) => metadata.uid), ...ownerReferences.map((ref) => ref.uid)];
      }
      const before = event.type === "updated" ? (event.previous.metadata.ownerReferences ?? []) : [];
      const released = before.filter((ref) => !ownerReferences.some((kept) => kept.uid === ref.uid)).map((ref) => ref.uid);
      if (deletionTimestamp !== undefined) {
        return [
          uid,
          ...dependentsOf(uid).map(({ object: { metadata } }) => metadata.uid),
          ...ownerReferences.map((ref) => ref.uid),
          ...released,
        ];
      }
      if (event.type === "updated" && sameRefs(before, ownerReferences)) return [];
      return [...(ownerReferences.length === 0 ? [] : [uid]), ...ownerReferences.map((ref) => ref.uid), ...released];
    }

    function find(uid: string): Known | undefined {
      for (const { kind, lister } of followed.values()) {
        const [object] = lister.byIndex("uid", uid);
        if (object !== undefined) return { kind, object };
      }
      return undefined;
    }

    function dependentsOf(uid: string): readonly Known[] {
      return [...followed.values()].flatMap(({ kind, lister }) => lister.byIndex("owner", uid).map((object) => ({ kind, object })));
    }

    async function stateOf(ref: OwnerReference, item: Known, signal: AbortSignal): Promise<OwnerState> {
      const cached = find(ref.uid);
      if (cached !== undefined) {
        const { deletionTimestamp, finalizers = [] } = cached.object.metadata;
        return deletionTimestamp !== undefined && finalizers.includes(FOREGROUND) ? "waiting" : "present";
      }
      if (absent.has(ref.uid)) return "absent";
      const kind = [...followed.values()].find(
        (informer) => informer.kind.kind === ref.kind && informer.kind.group === groupOf(ref.apiVersion),
      )?.kind;
      if (kind === undefined) return "present"; // an unknown kind may come back: nothing is deleted on its account
      try {
        const namespace = kind.scope === "Namespaced" ? item.object.metadata.namespace : undefined;
        if (kind.scope === "Namespaced" && namespace === undefined) return "present"; // a cluster object cannot be owned by it
        const owner = await client.get(kind, { name: ref.name, namespace }, signal);
        if (owner.metadata.uid === ref.uid) return "present";
      } catch (cause) {
        if (!hasReason(cause, "NotFound")) throw cause;
      }
      absent.add(ref.uid);
      return "absent";
    }
  },
  plan: planGarbage,
});

const ABSENT_MAX = 10_000;
const idOf = (kind: Kind): string => `${kind.plural}.${kind.group}`;

function sameRefs(a: readonly OwnerReference[], b: readonly OwnerReference[]): boolean {
  return (
    a.length === b.length && a.every((ref, index) => ref.uid === b[index]?.uid && ref.blockOwnerDeletion === b[index]?.blockOwnerDeletion)
  );
}
