import { DeploymentKind } from "#kinds/apps/deployment.ts";
import { ReplicaSetKind } from "#kinds/apps/replica-set.ts";
import { StatefulSetKind } from "#kinds/apps/stateful-set.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { ReplicationControllerKind } from "#kinds/core/replication-controller.ts";
import { PodDisruptionBudgetKind } from "#kinds/policy/pod-disruption-budget.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import { keyOf, type Stored } from "#machinery/object.ts";
import { labelSelectorFrom, matchesLabels } from "#machinery/selector.ts";
import { defineController, watching } from "../define.ts";
import { splitKey } from "../keys.ts";
import { controllerOf, groupOf, refersTo } from "../owners.ts";
import { planDisruption, type Scale } from "./plan.ts";

export const disruptionController = defineController({
  name: "disruption",
  component: "controllermanager",
  connect({ informers }) {
    const budgets = informers.informer(PodDisruptionBudgetKind);
    const pods = informers.informer(PodKind);
    const deployments = informers.informer(DeploymentKind);
    const replicaSets = informers.informer(ReplicaSetKind);
    const statefulSets = informers.informer(StatefulSetKind);
    const replicationControllers = informers.informer(ReplicationControllerKind);
    const selecting = ({ metadata }: Stored<Pod>) =>
      budgets.lister
        .list(metadata.namespace)
        .filter(({ spec }) => matchesLabels(labelSelectorFrom(spec.selector), metadata.labels))
        .map(keyOf);
    const none = () => [];

    function scaleOf(pod: Stored<Pod>): Scale | undefined {
      const owner = controllerOf(pod);
      if (owner === undefined) return undefined;
      const { namespace } = pod.metadata;
      const named = { name: owner.name, namespace };
      if (refersTo(owner, ReplicaSetKind)) {
        const set = replicaSets.lister.get(named);
        const above = set === undefined ? undefined : controllerOf(set);
        if (set === undefined) return missing(pod);
        if (above === undefined || !refersTo(above, DeploymentKind)) return { uid: set.metadata.uid, replicas: set.spec.replicas ?? 1 };
        const deployment = deployments.lister.get({ name: above.name, namespace });
        return deployment === undefined ? missing(pod) : { uid: deployment.metadata.uid, replicas: deployment.spec.replicas ?? 1 };
      }
      if (refersTo(owner, StatefulSetKind)) return wanted(statefulSets.lister.get(named), pod);
      if (refersTo(owner, ReplicationControllerKind)) return wanted(replicationControllers.lister.get(named), pod);
      const group = groupOf(owner.apiVersion);
      const resource = `${owner.kind.toLowerCase()}s${group === "" ? "" : `.${group}`}`;
      return { error: `${resource} does not implement the scale subresource` };
    }

    return {
      watches: [
        watching(budgets, ({ object }) => [keyOf(object)]),
        watching(pods, (event) => [
          ...new Set([...selecting(event.object), ...(event.type === "updated" ? selecting(event.previous) : [])]),
        ]),
        watching(deployments, none), // pods tell when their owners scale
        watching(replicaSets, none),
        watching(statefulSets, none),
        watching(replicationControllers, none),
      ],
      observe(key, { now }) {
        const budget = budgets.lister.get(splitKey(key));
        if (budget === undefined) return undefined;
        const selector = labelSelectorFrom(budget.spec.selector);
        const matching = pods.lister.list(budget.metadata.namespace).filter(({ metadata }) => matchesLabels(selector, metadata.labels));
        return { budget, pods: matching, scaleOf, now };
      },
    };
  },
  plan: planDisruption,
});

type Scalable = Stored<Pod>["metadata"];

function wanted(
  owner: { readonly metadata: Scalable; readonly spec: { readonly replicas?: number } } | undefined,
  pod: Stored<Pod>,
): Scale {
  return owner === undefined ? missing(pod) : { uid: owner.metadata.uid, replicas: owner.spec.replicas ?? 1 };
}

function missing({ metadata }: Stored<Pod>): Scale {
  return { error: `found no controllers for pod ${JSON.stringify(metadata.name)}` };
}
