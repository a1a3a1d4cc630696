import type { Instant } from "#base/clock.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { defineController, watching } from "../define.ts";
import { nodeOfPod } from "../node-pods.ts";
import { planTaintEviction } from "./plan.ts";

export const taintEvictionController = defineController({
  name: "tainteviction",
  component: "taint-eviction-controller",
  connect({ informers }) {
    const nodes = informers.informer(NodeKind);
    const pods = informers.informer(PodKind, { indexes: { node: nodeOfPod } });
    /** First sight of taints by node and taint: kubectl writes no `timeAdded`. */
    const firstSeen = new Map<string, Map<string, Instant>>();
    return {
      watches: [
        watching(nodes, ({ type, object }) => {
          if (type === "deleted") firstSeen.delete(object.metadata.name);
          return [object.metadata.name];
        }),
        watching(pods, (event) => {
          if (event.type === "deleted") return [];
          const [name] = nodeOfPod(event.object);
          if (name === undefined) return [];
          const tainted = nodes.lister.get({ name })?.spec.taints?.some(({ effect }) => effect === "NoExecute");
          return tainted === true ? [name] : [];
        }),
      ],
      observe(name, { now }) {
        const node = nodes.lister.get({ name });
        if (node === undefined) return undefined;
        const before = firstSeen.get(name);
        const current = new Map<string, Instant>();
        for (const { key, value, effect, timeAdded } of node.spec.taints ?? []) {
          if (effect !== "NoExecute") continue;
          const id = `${key}=${value ?? ""}`;
          const added = Date.parse(timeAdded ?? "");
          current.set(id, Number.isNaN(added) ? (before?.get(id) ?? now) : added);
        }
        if (current.size === 0) {
          firstSeen.delete(name);
          return undefined;
        }
        firstSeen.set(name, current);
        return {
          node,
          since: ({ key, value }) => current.get(`${key}=${value ?? ""}`) ?? now,
          pods: pods.lister.byIndex("node", name),
          now,
        };
      },
    };
  },
  plan: planTaintEviction,
});
