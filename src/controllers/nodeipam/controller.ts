import { NodeKind } from "#kinds/core/node.ts";
import { defineController, watching } from "../define.ts";
import { parseCidrRange, planNodeCidrs } from "./plan.ts";

export const nodeIpamController = defineController({
  name: "nodeipam",
  component: "cidrAllocator",
  workers: 1,
  connect({ informers, settings }) {
    const nodes = informers.informer(NodeKind);
    const range = parseCidrRange(settings.clusterCidr, settings.nodeCidrMaskSize ?? 24);
    return {
      watches: [watching(nodes, ({ type, object }) => (type === "deleted" || object.spec.podCIDR === undefined ? ["nodes"] : []))],
      observe: () => ({ nodes: nodes.lister.list(), range }),
    };
  },
  plan: planNodeCidrs,
});
