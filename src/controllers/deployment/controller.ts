import { DeploymentKind } from "#kinds/apps/deployment.ts";
import { ReplicaSetKind } from "#kinds/apps/replica-set.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { keyOf } from "#machinery/object.ts";
import { labelSelectorFrom, matchesLabels } from "#machinery/selector.ts";
import { defineController, watching } from "../define.ts";
import { splitKey } from "../keys.ts";
import { controllerOf, controllerUid, orphanNamespace, ownerKeys } from "../owners.ts";
import { planDeployment } from "./plan.ts";

export const deploymentController = defineController({
  name: "deployment",
  connect({ informers }) {
    const deployments = informers.informer(DeploymentKind);
    const sets = informers.informer(ReplicaSetKind, { indexes: { controller: controllerUid, orphans: orphanNamespace } });
    const pods = informers.informer(PodKind, { indexes: { controller: controllerUid } });
    return {
      watches: [
        watching(deployments, ({ object }) => [keyOf(object)]),
        watching(sets, (event) =>
          ownerKeys(DeploymentKind, event, (orphan) =>
            deployments.lister
              .list(orphan.metadata.namespace)
              .filter(({ spec }) => matchesLabels(labelSelectorFrom(spec.selector), orphan.metadata.labels)),
          ),
        ),
        // Recreate waits for the last old pod to go.
        watching(pods, ({ type, object }) => {
          const owner = controllerOf(object);
          if (owner === undefined || owner.kind !== "ReplicaSet" || (type !== "deleted" && object.status?.phase !== "Failed")) return [];
          const set = sets.lister.get({ name: owner.name, namespace: object.metadata.namespace });
          const deployment = set === undefined ? undefined : controllerOf(set);
          const recreated = deployments.lister.get({ name: deployment?.name ?? "", namespace: object.metadata.namespace });
          return recreated?.spec.strategy?.type === "Recreate" ? [keyOf(recreated)] : [];
        }),
      ],
      observe(key, { now, failure }) {
        const deployment = deployments.lister.get(splitKey(key));
        if (deployment === undefined) return undefined;
        const { namespace = "", uid } = deployment.metadata;
        return {
          deployment,
          replicaSets: [...sets.lister.byIndex("controller", uid), ...sets.lister.byIndex("orphans", namespace)],
          podsOf: (rs) => pods.lister.byIndex("controller", rs.metadata.uid),
          nameTaken: (name) => sets.lister.get({ name, namespace }) !== undefined,
          failure,
          now,
        };
      },
    };
  },
  plan: planDeployment,
});
