import type { Instant } from "#base/clock.ts";
import { LeaseKind } from "#kinds/coordination/lease.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Node } from "#machinery/api/core-v1.ts";
import { defineController, watching } from "../define.ts";
import { nodeOfPod } from "../node-pods.ts";
import { planNodeLifecycle } from "./plan.ts";

/** Where nodes renew their Leases. */
const NODE_LEASES = "kube-node-lease";

export const nodeLifecycleController = defineController({
  name: "nodelifecycle",
  component: "node-controller",
  connect({ informers, clock, settings }) {
    const nodes = informers.informer(NodeKind);
    const leases = informers.informer(LeaseKind, { namespace: NODE_LEASES });
    const pods = informers.informer(PodKind, { indexes: { node: nodeOfPod } });
    /** Signs of life by node, timed by our own clock: clocks of nodes may be wrong. */
    const heartbeats = new Map<string, { readonly sign: string; readonly at: Instant }>();
    const registered = new Set<string>();

    return {
      watches: [
        watching(nodes, ({ type, object }) => {
          if (type === "deleted") {
            heartbeats.delete(object.metadata.name);
            registered.delete(object.metadata.uid);
          }
          return [object.metadata.name];
        }),
        watching(leases, ({ type, object: { metadata } }) => {
          const seen = heartbeats.get(metadata.name);
          const node = nodes.lister.get({ name: metadata.name });
          if (type === "deleted" || node === undefined) return [];
          beat(node);
          // A renewal of a healthy node changes nothing: its next look is timed already.
          return seen === undefined || readyStatus(node) !== "True" ? [metadata.name] : [];
        }),
        watching(pods, () => []),
      ],
      observe(name, { now }) {
        const node = nodes.lister.get({ name });
        if (node === undefined) return undefined;
        const isNew = !registered.has(node.metadata.uid);
        registered.add(node.metadata.uid);
        const othersReady = nodes.lister.list().some((other) => other.metadata.name !== name && readyStatus(other) === "True");
        return {
          node,
          isNew,
          heartbeatAt: beat(node),
          othersReady,
          pods: pods.lister.byIndex("node", name),
          gracePeriodMs: settings.nodeMonitorGracePeriodMs ?? 40_000,
          now,
        };
      },
    };

    /** When the node last gave a sign of life. */
    function beat(node: Node): Instant {
      const { name = "" } = node.metadata;
      const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
      const lease = leases.lister.get({ name, namespace: NODE_LEASES });
      const sign = JSON.stringify([ready?.lastHeartbeatTime, lease?.spec.renewTime]);
      const seen = heartbeats.get(name);
      if (seen?.sign === sign) return seen.at;
      const at = clock.now();
      heartbeats.set(name, { sign, at });
      return at;
    }
  },
  plan: planNodeLifecycle,
});

function readyStatus(node: Node): string | undefined {
  return node.status?.conditions?.find(({ type }) => type === "Ready")?.status;
}
