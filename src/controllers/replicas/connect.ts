import type { Informer } from "#client/contract.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Kind } from "#kinds/kind.ts";
import type { ReplicaSet } from "#machinery/api/apps-v1.ts";
import type { Pod, ReplicationController } from "#machinery/api/core-v1.ts";
import { keyOf, type Stored } from "#machinery/object.ts";
import { matchesLabels } from "#machinery/selector.ts";
import { type Connected, type ControllerDeps, watching } from "../define.ts";
import { splitKey } from "../keys.ts";
import { controllerUid, orphanNamespace, ownerKeys } from "../owners.ts";
import type { ObservedReplicas, Replicas } from "./plan.ts";

/** Wiring of both kinds: `describe` says what an owner wants, `siblings` who shares its Deployment. */
export function connectReplicas<T extends ReplicaSet | ReplicationController>(
  deps: ControllerDeps,
  kind: Kind<T>,
  describe: (owner: Stored<T>) => Replicas,
  siblings: (owner: Stored<T>, owners: Informer<T>) => readonly Stored<T>[],
): Connected<ObservedReplicas> {
  const owners = deps.informers.informer<T>(kind, { indexes: { controller: controllerUid } });
  const pods = deps.informers.informer<Pod>(PodKind, { indexes: { controller: controllerUid, orphans: orphanNamespace } });
  const ownedBy = (owner: Stored<T>) => pods.lister.byIndex("controller", owner.metadata.uid);
  return {
    watches: [
      watching(owners, ({ object }) => [keyOf(object)]),
      watching(pods, (event) =>
        ownerKeys(kind, event, (orphan) =>
          owners.lister.list(orphan.metadata.namespace).filter((owner) => matchesLabels(describe(owner).selector, orphan.metadata.labels)),
        ),
      ),
    ],
    observe(key, { inFlight, failure, now }) {
      const owner = owners.lister.get(splitKey(key));
      if (owner === undefined) return undefined;
      return {
        ...describe(owner),
        pods: [...ownedBy(owner), ...pods.lister.byIndex("orphans", owner.metadata.namespace ?? "")],
        related: siblings(owner, owners).flatMap(ownedBy),
        inFlight,
        failure,
        now,
      };
    },
  };
}
