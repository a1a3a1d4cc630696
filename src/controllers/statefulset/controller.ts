import { ControllerRevisionKind } from "#kinds/apps/controller-revision.ts";
import { StatefulSetKind } from "#kinds/apps/stateful-set.ts";
import { PersistentVolumeClaimKind } from "#kinds/core/persistent-volume-claim.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { type KubeObject, keyOf, type Stored } from "#machinery/object.ts";
import { labelSelectorFrom, matchesLabels } from "#machinery/selector.ts";
import { defineController, watching } from "../define.ts";
import { splitKey } from "../keys.ts";
import { controllerUid, orphanNamespace, ownerKeys } from "../owners.ts";
import { planStatefulSet } from "./plan.ts";

export const statefulSetController = defineController({
  name: "statefulset",
  connect({ informers }) {
    const indexes = { controller: controllerUid, orphans: orphanNamespace };
    const sets = informers.informer(StatefulSetKind);
    const pods = informers.informer(PodKind, { indexes });
    const revisions = informers.informer(ControllerRevisionKind, { indexes });
    const claims = informers.informer(PersistentVolumeClaimKind);
    const selecting = (orphan: Stored<KubeObject>) =>
      sets.lister
        .list(orphan.metadata.namespace)
        .filter(({ spec }) => matchesLabels(labelSelectorFrom(spec.selector), orphan.metadata.labels));
    return {
      watches: [
        watching(sets, ({ object }) => [keyOf(object)]),
        watching(pods, (event) => ownerKeys(StatefulSetKind, event, selecting)),
        watching(revisions, (event) => ownerKeys(StatefulSetKind, event, selecting)),
        watching(claims, () => []), // own writes are waited for; the rest is read when a pod is made
      ],
      observe(key, { now }) {
        const set = sets.lister.get(splitKey(key));
        if (set === undefined) return undefined;
        const { namespace = "", uid } = set.metadata;
        return {
          set,
          pods: [...pods.lister.byIndex("controller", uid), ...pods.lister.byIndex("orphans", namespace)],
          revisions: [...revisions.lister.byIndex("controller", uid), ...revisions.lister.byIndex("orphans", namespace)],
          nameTaken: (name) => revisions.lister.get({ name, namespace }) !== undefined,
          claimNamed: (name) => claims.lister.get({ name, namespace }),
          now,
        };
      },
    };
  },
  plan: planStatefulSet,
});
