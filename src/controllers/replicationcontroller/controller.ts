import { ReplicationControllerKind } from "#kinds/core/replication-controller.ts";
import { selectorFromMap } from "#machinery/selector.ts";
import { defineController } from "../define.ts";
import { connectReplicas } from "../replicas/connect.ts";
import { planReplicas } from "../replicas/plan.ts";

export const replicationControllerController = defineController({
  name: "replicationcontroller",
  component: "replication-controller",
  whileInFlight: "plan",
  connect: (deps) =>
    connectReplicas(
      deps,
      ReplicationControllerKind,
      (owner) => ({
        kind: ReplicationControllerKind,
        owner,
        selector: selectorFromMap(owner.spec.selector),
        template: owner.spec.template,
        countsTerminating: false,
      }),
      (owner) => [owner],
    ),
  plan: planReplicas,
});
