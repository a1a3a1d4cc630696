import { describe, expect, test } from "vitest";
import { DeploymentKind } from "#kinds/apps/deployment.ts";
import type { Deployment, ReplicaSet } from "#machinery/api/apps-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { deployment, pod, replicaSet, START } from "#testing/builders.ts";
import type { Action } from "../action.ts";
import { controllerRef } from "../owners.ts";
import { type ObservedDeployment, planDeployment } from "./plan.ts";
import { newReplicaSetName } from "./replica-sets.ts";
import { templateHash } from "./template-hash.ts";

const NOW = Date.parse(START) + 60_000;
type Set = Stored<ReplicaSet>;

/** A ReplicaSet of the deployment: `image` is its template, all replicas available unless said otherwise. */
function set(
  owner: Stored<Deployment>,
  image: string,
  replicas: number,
  more: { available?: number; revision?: number; created?: string; desired?: number } = {},
): Set {
  const { available = replicas, revision = 1, created = START, desired = owner.spec.replicas ?? 1 } = more;
  const labels = { app: owner.metadata.name };
  const { maxSurge } = owner.spec.strategy?.rollingUpdate ?? {};
  const surge = typeof maxSurge === "number" ? maxSurge : Math.ceil(desired / 4);
  return replicaSet(
    `${owner.metadata.name}-${image}`,
    { replicas, template: { metadata: { labels }, spec: { containers: [{ name: "main", image }] } } },
    {
      metadata: {
        labels,
        creationTimestamp: created,
        ownerReferences: [controllerRef(DeploymentKind, owner)],
        annotations: {
          "deployment.kubernetes.io/revision": String(revision),
          "deployment.kubernetes.io/desired-replicas": String(desired),
          "deployment.kubernetes.io/max-replicas": String(desired + surge),
        },
      },
      status: { replicas, readyReplicas: available, availableReplicas: available, observedGeneration: 1 },
    },
  );
}

function observe(owner: Stored<Deployment>, replicaSets: readonly Set[], more: Partial<ObservedDeployment> = {}): ObservedDeployment {
  return { deployment: owner, replicaSets, podsOf: () => [], nameTaken: () => false, failure: undefined, now: NOW, ...more };
}

function told(actions: readonly Action[]): readonly string[] {
  return actions.flatMap((action) => {
    if (action.do === "create") return [`create ${action.object.metadata.name} ${action.tell?.message ?? ""}`];
    if (action.do === "delete") return [`delete ${action.object.name}`];
    if (action.do === "patch") return [`patch ${JSON.stringify(action.patch.body)}`];
    if (action.do === "update")
      return action.subresource === "status" ? [] : [action.tell?.message ?? `annotate ${action.object.metadata.name}`];
    return [action.note.message];
  });
}

function conditions(actions: readonly Action[]): readonly string[] {
  const status = actions.find((action) => action.do === "update" && action.subresource === "status");
  const object = status?.do === "update" ? (status.object as Deployment) : undefined;
  return (object?.status?.conditions ?? []).map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`);
}

const revised = (owner: Stored<Deployment>, revision = 1): Stored<Deployment> => ({
  ...owner,
  metadata: { ...owner.metadata, annotations: { "deployment.kubernetes.io/revision": String(revision) } },
});
const app = (spec: Partial<Deployment["spec"]> = {}) => deployment("kubia", spec);
const v2 = (replicas: number, spec: Partial<Deployment["spec"]> = {}) =>
  revised(
    app({ replicas, template: { metadata: { labels: { app: "kubia" } }, spec: { containers: [{ name: "main", image: "v2" }] } }, ...spec }),
    2,
  );

describe("planDeployment()", () => {
  test("creates the first ReplicaSet with all replicas, its hash and revision 1", () => {
    const owner = app({ replicas: 3 });
    const { actions } = planDeployment(observe(owner, []));
    const { name, hash } = newReplicaSetName(owner);
    expect(told(actions)).toEqual([`create ${name} Scaled up replica set ${name} from 0 to 3`]);
    expect(actions[0]).toMatchObject({
      object: {
        metadata: {
          labels: { app: "kubia", "pod-template-hash": hash },
          annotations: {
            "deployment.kubernetes.io/revision": "1",
            "deployment.kubernetes.io/desired-replicas": "3",
            "deployment.kubernetes.io/max-replicas": "4",
          },
        },
        spec: {
          selector: { matchLabels: { app: "kubia", "pod-template-hash": hash } },
          template: { metadata: { labels: { "pod-template-hash": hash } } },
        },
      },
    });
    expect(conditions(actions)).toEqual([
      "Available=False MinimumReplicasUnavailable: Deployment does not have minimum availability.",
      `Progressing=True NewReplicaSetCreated: Created new replica set "${name}"`,
    ]);
  });

  test("a taken name is a collision: the count goes into the next hash", () => {
    const owner = app();
    const [action] = planDeployment(observe(owner, [], { nameTaken: () => true })).actions;
    expect(action).toMatchObject({ do: "update", subresource: "status", object: { status: { collisionCount: 1 } } });
    expect(templateHash(owner.spec.template, 1)).not.toBe(templateHash(owner.spec.template, undefined));
  });

  const rolling = { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } } } as const;
  test.each<[string, Stored<Deployment>, (owner: Stored<Deployment>) => readonly Set[], readonly string[]]>([
    [
      "grows the new one within the surge",
      v2(3, rolling),
      (o) => [set(o, "v1", 3), set(o, "v2", 0, { revision: 2 })],
      ["Scaled up replica set kubia-v2 from 0 to 1"],
    ],
    [
      "then shrinks the old one as far as enough stay available",
      v2(3, rolling),
      (o) => [set(o, "v1", 3), set(o, "v2", 1, { revision: 2, available: 0 })],
      ["Scaled down replica set kubia-v1 from 3 to 2"],
    ],
    [
      "takes away pods that are not available first",
      v2(3, rolling),
      (o) => [set(o, "v0", 1, { available: 0 }), set(o, "v1", 2), set(o, "v2", 1, { revision: 2, available: 0 })],
      ["Scaled down replica set kubia-v0 from 1 to 0"],
    ],
    ["waits when nothing may go", v2(3, rolling), (o) => [set(o, "v1", 2), set(o, "v2", 2, { revision: 2, available: 0 })], []],
    [
      "ends with the old one empty",
      v2(3, rolling),
      (o) => [set(o, "v1", 1), set(o, "v2", 3, { revision: 2 })],
      ["Scaled down replica set kubia-v1 from 1 to 0"],
    ],
    [
      "Recreate empties the old one first",
      v2(3, { strategy: { type: "Recreate" } }),
      (o) => [set(o, "v1", 3)],
      ["Scaled down replica set kubia-v1 from 3 to 0"],
    ],
  ])("%s", (_name, owner, sets, expected) => {
    expect(told(planDeployment(observe(owner, sets(owner))).actions)).toEqual(expected);
  });

  test("Recreate waits for the last old pod, then creates the new ReplicaSet whole", () => {
    const owner = v2(2, { strategy: { type: "Recreate" } });
    const old = set(owner, "v1", 0);
    expect(told(planDeployment(observe(owner, [old], { podsOf: () => [pod("x", { deleting: true })] })).actions)).toEqual([]);
    const { name } = newReplicaSetName(owner);
    expect(told(planDeployment(observe(owner, [old])).actions)).toEqual([`create ${name} Scaled up replica set ${name} from 0 to 2`]);
  });

  test("a rollback reuses the old ReplicaSet and gives it the next revision", () => {
    const owner = revised(app({ replicas: 1 }), 2);
    const { actions } = planDeployment(observe(owner, [set(owner, "v1", 0, { revision: 1 }), set(owner, "v2", 1, { revision: 2 })]));
    expect(actions[0]).toMatchObject({
      do: "update",
      object: {
        metadata: {
          name: "kubia-v1",
          annotations: { "deployment.kubernetes.io/revision": "3", "deployment.kubernetes.io/revision-history": "1" },
        },
      },
    });
  });

  test("scaling in the middle of a rollout is proportional", () => {
    const owner = v2(10, { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } });
    const scaled = { ...owner, spec: { ...owner.spec, replicas: 15 } };
    const sets = [set(owner, "v1", 8), set(owner, "v2", 5, { revision: 2, available: 0 })];
    expect(told(planDeployment(observe(scaled, sets)).actions)).toEqual([
      "Scaled up replica set kubia-v1 from 8 to 11",
      "Scaled up replica set kubia-v2 from 5 to 7",
    ]);
  });

  test("paused: nothing is rolled out, but scaling works", () => {
    const owner = v2(3, { paused: true });
    expect(told(planDeployment(observe(owner, [set(owner, "v1", 3)])).actions)).toEqual([]);
    const more = { ...owner, spec: { ...owner.spec, replicas: 5 } };
    expect(told(planDeployment(observe(more, [set(owner, "v1", 3)])).actions)).toEqual(["Scaled up replica set kubia-v1 from 3 to 5"]);
    expect(conditions(planDeployment(observe(owner, [set(owner, "v1", 3)])).actions)).toContain(
      "Progressing=Unknown DeploymentPaused: Deployment is paused",
    );
  });

  test("a finished rollout says so and deletes old ReplicaSets beyond the limit", () => {
    const owner = v2(1, { revisionHistoryLimit: 1 });
    const sets = [set(owner, "v0", 0, { revision: 1 }), set(owner, "v1", 0, { revision: 2 }), set(owner, "v2", 1, { revision: 3 })];
    const { actions } = planDeployment(observe(revised(owner, 3), sets));
    expect(told(actions)).toEqual(["delete kubia-v0"]);
    expect(conditions(actions)).toEqual([
      "Available=True MinimumReplicasAvailable: Deployment has minimum availability.",
      'Progressing=True NewReplicaSetAvailable: ReplicaSet "kubia-v2" has successfully progressed.',
    ]);
  });

  test("a rollout that does not move misses its deadline", () => {
    const waiting = { type: "Progressing", status: "True", reason: "ReplicaSetUpdated", lastUpdateTime: START, lastTransitionTime: START };
    const base = v2(1, { progressDeadlineSeconds: 30 });
    const owner = {
      ...base,
      status: { replicas: 1, updatedReplicas: 1, unavailableReplicas: 1, observedGeneration: 1, conditions: [waiting] },
    };
    const sets = [set(owner, "v2", 1, { available: 0, revision: 2 })];
    expect(conditions(planDeployment(observe(owner, sets)).actions)).toContain(
      'Progressing=False ProgressDeadlineExceeded: ReplicaSet "kubia-v2" has timed out progressing.',
    );
    const early = planDeployment(observe(owner, sets, { now: Date.parse(START) + 10_000 }));
    expect(early.recheckAfterMs).toBe(21_000);
  });

  test("the hash does not depend on the order of keys", () => {
    expect(templateHash({ metadata: { labels: { a: "1", b: "2" } } }, undefined)).toBe(
      templateHash({ metadata: { labels: { b: "2", a: "1" } } }, undefined),
    );
    expect(templateHash({ metadata: { labels: { a: "1" } } }, undefined)).toMatch(/^[bcdfghjklmnpqrstvwxz2456789]{1,10}$/);
  });
});
