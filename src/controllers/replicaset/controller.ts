import { ReplicaSetKind } from "#kinds/apps/replica-set.ts";
import { labelSelectorFrom } from "#machinery/selector.ts";
import { defineController } from "../define.ts";
import { controllerOf } from "../owners.ts";
import { connectReplicas } from "../replicas/connect.ts";
import { planReplicas } from "../replicas/plan.ts";

export const replicaSetController = defineController({
  name: "replicaset",
  whileInFlight: "plan",
  connect: (deps) =>
    connectReplicas(
      deps,
      ReplicaSetKind,
      (owner) => ({
        kind: ReplicaSetKind,
        owner,
        selector: labelSelectorFrom(owner.spec.selector),
        template: owner.spec.template,
        countsTerminating: true,
      }),
      (owner, owners) => {
        const deployment = controllerOf(owner);
        return deployment === undefined ? [owner] : owners.lister.byIndex("controller", deployment.uid);
      },
    ),
  plan: planReplicas,
});
