import type { Instant } from "#base/clock.ts";
import { ControllerRevisionKind } from "#kinds/apps/controller-revision.ts";
import { DaemonSetKind } from "#kinds/apps/daemon-set.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import { keyOf, type Stored } from "#machinery/object.ts";
import { labelSelectorFrom, matchesLabels } from "#machinery/selector.ts";
import { defineController, watching } from "../define.ts";
import { splitKey } from "../keys.ts";
import { controllerUid, orphanNamespace, ownerKeys } from "../owners.ts";
import { eligibilityOf, targetNodeOf } from "./nodes.ts";
import { planDaemonSet } from "./plan.ts";

export const daemonSetController = defineController({
  name: "daemonset",
  connect({ informers }) {
    const indexes = { controller: controllerUid, orphans: orphanNamespace };
    const sets = informers.informer(DaemonSetKind);
    const pods = informers.informer(PodKind, { indexes });
    const revisions = informers.informer(ControllerRevisionKind, { indexes });
    const nodes = informers.informer(NodeKind);
    const failures = createFailures();
    const selecting = (orphan: Stored<Pod> | ReturnType<typeof revisions.lister.list>[number]) =>
      sets.lister
        .list(orphan.metadata.namespace)
        .filter(({ spec }) => matchesLabels(labelSelectorFrom(spec.selector), orphan.metadata.labels));
    return {
      watches: [
        watching(sets, ({ type, object }) => {
          if (type === "deleted") failures.forget(keyOf(object));
          return [keyOf(object)];
        }),
        watching(pods, (event) => ownerKeys(DaemonSetKind, event, selecting)),
        watching(revisions, (event) => ownerKeys(DaemonSetKind, event, selecting)),
        watching(nodes, (event) => {
          if (event.type !== "updated") return sets.lister.list().map(keyOf);
          const { previous, object } = event;
          return sets.lister
            .list()
            .filter((set) => {
              const [before, after] = [eligibilityOf(set, previous), eligibilityOf(set, object)];
              return before.shouldRun !== after.shouldRun || before.shouldContinue !== after.shouldContinue;
            })
            .map(keyOf);
        }),
      ],
      observe(key, { now }) {
        const set = sets.lister.get(splitKey(key));
        if (set === undefined) return undefined;
        const { namespace = "", uid } = set.metadata;
        const own = pods.lister.byIndex("controller", uid);
        return {
          set,
          nodes: nodes.lister.list(),
          pods: [...own, ...pods.lister.byIndex("orphans", namespace)],
          revisions: [...revisions.lister.byIndex("controller", uid), ...revisions.lister.byIndex("orphans", namespace)],
          nameTaken: (name) => revisions.lister.get({ name, namespace }) !== undefined,
          replaceAt: failures.seen(key, own, now),
          now,
        };
      },
    };
  },
  plan: planDaemonSet,
});

const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 15 * 60_000;

interface NodeFailures {
  readonly at: Instant;
  readonly delayMs: number;
}

/** Remembers when pods of a set failed on which node: a pod that always fails is not replaced without pause. */
function createFailures() {
  const bySet = new Map<string, { readonly nodes: Map<string, NodeFailures>; replaceAt: Map<string, Instant> }>();
  return {
    forget: (key: string) => void bySet.delete(key),
    seen(key: string, pods: readonly Stored<Pod>[], now: Instant): (pod: Stored<Pod>) => Instant {
      const known = bySet.get(key) ?? { nodes: new Map<string, NodeFailures>(), replaceAt: new Map<string, Instant>() };
      const replaceAt = new Map<string, Instant>();
      for (const pod of pods) {
        const node = targetNodeOf(pod);
        if (pod.status?.phase !== "Failed" || node === undefined) continue;
        const before = known.replaceAt.get(pod.metadata.uid);
        replaceAt.set(pod.metadata.uid, before ?? next(known.nodes, node, now));
      }
      for (const [node, { at }] of known.nodes) if (now - at > 2 * MAX_DELAY_MS) known.nodes.delete(node);
      known.replaceAt = replaceAt;
      bySet.set(key, known);
      return ({ metadata }) => replaceAt.get(metadata.uid) ?? now;
    },
  };
}

function next(nodes: Map<string, NodeFailures>, node: string, now: Instant): Instant {
  const last = nodes.get(node);
  const at = last === undefined ? now : Math.max(now, last.at + last.delayMs);
  nodes.set(node, { at, delayMs: last === undefined ? FIRST_DELAY_MS : Math.min(last.delayMs * 2, MAX_DELAY_MS) });
  return at;
}
