import type { Instant } from "#base/clock.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { hasReason } from "#machinery/status.ts";
import { defineController, watching } from "../define.ts";
import { nodeOfPod } from "../node-pods.ts";
import { planPodGc } from "./plan.ts";

/** A node must have been missing this long: one that registers anew finds its pods. */
const QUARANTINE_MS = 40_000;

export const podGcController = defineController({
  name: "podgc",
  component: "pod-garbage-collector",
  workers: 1,
  connect({ informers, client, settings }) {
    const nodes = informers.informer(NodeKind);
    const pods = informers.informer(PodKind, { indexes: { node: nodeOfPod } });
    const missingSince = new Map<string, Instant>();
    return {
      keys: ["pods"],
      watches: [watching(pods, () => []), watching(nodes, ({ type }) => (type === "deleted" ? ["pods"] : []))],
      async observe(_key, { now, signal }) {
        const all = pods.lister.list();
        const bound = new Set(all.flatMap(nodeOfPod));
        for (const name of missingSince.keys()) if (!bound.has(name)) missingSince.delete(name);
        const gone = new Set<string>();
        for (const name of bound) {
          if (nodes.lister.get({ name }) !== undefined) {
            missingSince.delete(name);
            continue;
          }
          const since = missingSince.get(name) ?? now;
          missingSince.set(name, since);
          if (now - since >= QUARANTINE_MS && !(await exists(name, signal))) gone.add(name);
        }
        return {
          pods: all,
          nodes: new Map(nodes.lister.list().map((node) => [node.metadata.name, node])),
          gone,
          terminatedPodThreshold: settings.terminatedPodThreshold ?? 12_500,
          now,
        };
      },
    };

    async function exists(name: string, signal: AbortSignal): Promise<boolean> {
      try {
        await client.get(NodeKind, { name, namespace: undefined }, signal);
        return true;
      } catch (cause) {
        if (hasReason(cause, "NotFound")) return false;
        throw cause;
      }
    }
  },
  plan: planPodGc,
});
