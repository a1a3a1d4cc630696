import { describe, expect, test } from "vitest";
import { ReplicationControllerKind } from "#kinds/core/replication-controller.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { selectorFromMap } from "#machinery/selector.ts";
import { pod, replicationController, START } from "#testing/builders.ts";
import type { Action } from "../action.ts";
import { controllerRef } from "../owners.ts";
import { type ObservedReplicas, planReplicas } from "./plan.ts";

const NOW = Date.parse(START) + 60_000;
const labels = { app: "kubia" };
const rc = (replicas: number, more = {}) => replicationController("kubia", { replicas, ...more });
const owner = controllerRef(ReplicationControllerKind, rc(1));
const owned = (name: string, options: Parameters<typeof pod>[1] = {}) => pod(name, { labels, owner, ...options });

function observe(owner: ReturnType<typeof rc>, pods: readonly Stored<Pod>[], more: Partial<ObservedReplicas> = {}): ObservedReplicas {
  return {
    kind: ReplicationControllerKind,
    owner,
    selector: selectorFromMap(owner.spec.selector),
    template: owner.spec.template,
    countsTerminating: false,
    pods,
    related: pods,
    inFlight: 0,
    failure: undefined,
    now: NOW,
    ...more,
  };
}

/** `create pod`, `delete kubia-1`, `status {...}`: actions as one reads them. */
function told(actions: readonly Action[]): readonly string[] {
  return actions.map((action) => {
    switch (action.do) {
      case "create":
        return `create ${action.kind.plural} ${action.object.metadata.generateName}`;
      case "delete":
        return `delete ${action.object.name}`;
      case "patch":
        return `patch ${action.object.name}: ${action.because}`;
      case "update":
        return `status ${JSON.stringify("status" in action.object ? action.object.status : undefined)}`;
      case "event":
        return `event ${action.note.reason}`;
    }
  });
}

describe("planReplicas()", () => {
  test("creates what is missing, owned and named after the controller, and says so", () => {
    const { actions } = planReplicas(observe(rc(2), []));
    const [first] = actions;
    expect(told(actions)).toEqual(["create pods kubia-", "create pods kubia-", 'status {"replicas":0,"observedGeneration":1}']);
    expect(first).toMatchObject({
      object: {
        metadata: {
          labels,
          namespace: "default",
          ownerReferences: [{ kind: "ReplicationController", name: "kubia", controller: true, blockOwnerDeletion: true }],
        },
      },
      announce: { done: "SuccessfulCreate", failed: "FailedCreate", noun: "pod" },
    });
  });

  test("never creates more than 500 at once", () => {
    expect(planReplicas(observe(rc(2000), [])).actions.filter((action) => action.do === "create")).toHaveLength(500);
  });

  test("changes no pods while own writes are not visible, but tells the status", () => {
    expect(told(planReplicas(observe(rc(3), [], { inFlight: 1 })).actions)).toEqual(['status {"replicas":0,"observedGeneration":1}']);
  });

  test("adopts matching orphans, releases what matches no longer, ignores finished pods", () => {
    const pods = [
      pod("orphan", { labels }),
      owned("strayed", { labels: { app: "other" } }),
      owned("done", { phase: "Succeeded" }),
      pod("alien", { labels: { app: "x" } }),
    ];
    expect(told(planReplicas(observe(rc(1), pods)).actions)).toEqual([
      "patch orphan: adopted: its labels match",
      "patch strayed: released: its labels match no longer",
      'status {"replicas":1,"fullyLabeledReplicas":1,"observedGeneration":1}',
    ]);
  });

  test("an owner that is being deleted adopts, releases and scales nothing", () => {
    const deleting = { ...rc(3), metadata: { ...rc(3).metadata, deletionTimestamp: START } };
    expect(told(planReplicas(observe(deleting, [pod("orphan", { labels })])).actions)).toEqual([
      'status {"replicas":0,"observedGeneration":1}',
    ]);
  });

  test.each<[string, readonly Stored<Pod>[], string]>([
    ["unassigned before assigned", [owned("a", { node: "n1", ready: true }), owned("b")], "b"],
    [
      "pending before running",
      [owned("a", { node: "n1", phase: "Running", ready: false }), owned("b", { node: "n1", phase: "Pending" })],
      "b",
    ],
    ["unready before ready", [owned("a", { node: "n1", ready: true }), owned("b", { node: "n1", ready: false, phase: "Running" })], "b"],
    [
      "cheaper before dearer",
      [
        owned("a", { node: "n1", ready: true }),
        owned("b", { node: "n2", ready: true, annotations: { "controller.kubernetes.io/pod-deletion-cost": "-5" } }),
      ],
      "b",
    ],
    [
      "on a crowded node before alone",
      [owned("a", { node: "n1", ready: true }), owned("b", { node: "n2", ready: true }), owned("c", { node: "n2", ready: true })],
      "b",
    ],
    [
      "freshly ready before long ready",
      [
        owned("a", { node: "n1", ready: true, readySince: START }),
        owned("b", { node: "n2", ready: true, readySince: "2030-01-01T00:00:58Z" }),
      ],
      "b",
    ],
    [
      "younger before older",
      [owned("a", { node: "n1", ready: true, created: START }), owned("b", { node: "n2", ready: true, created: "2030-01-01T00:00:58Z" })],
      "b",
    ],
  ])("deletes %s", (_name, pods, victim) => {
    expect(told(planReplicas(observe(rc(pods.length - 1), pods)).actions)[0]).toBe(`delete ${victim}`);
  });

  test("counts available pods after minReadySeconds and looks again in time", () => {
    const pods = [owned("a", { ready: true, readySince: START }), owned("b", { ready: true, readySince: "2030-01-01T00:00:55Z" })];
    const plan = planReplicas(observe(rc(2, { minReadySeconds: 30 }), pods));
    expect(told(plan.actions)).toEqual([
      'status {"replicas":2,"fullyLabeledReplicas":2,"readyReplicas":2,"availableReplicas":1,"observedGeneration":1}',
    ]);
    expect(plan.recheckAfterMs).toBe(25_001);
  });

  test("tells a failure as condition ReplicaFailure, once, and drops it after a success", () => {
    const failure = { reason: "FailedCreate", message: 'pods "kubia-" is forbidden: exceeded quota' };
    const [status] = planReplicas(observe(rc(0), [], { failure })).actions;
    const condition = { type: "ReplicaFailure", status: "True", lastTransitionTime: "2030-01-01T00:01:00Z", ...failure };
    expect(status).toMatchObject({ object: { status: { replicas: 0, conditions: [condition] } } });
    const withStatus = { ...rc(0), status: { replicas: 0, observedGeneration: 1, conditions: [condition] } };
    expect(planReplicas(observe(withStatus, [], { failure, now: NOW + 5000 })).actions).toEqual([]);
    expect(told(planReplicas(observe(withStatus, [])).actions)).toEqual(['status {"replicas":0,"observedGeneration":1}']);
  });

  test("writes nothing when all is as it should be", () => {
    const pods = [owned("a", { ready: true }), owned("b", { ready: true })];
    const settled = {
      ...rc(2),
      status: { replicas: 2, fullyLabeledReplicas: 2, readyReplicas: 2, availableReplicas: 2, observedGeneration: 1 },
    };
    expect(planReplicas(observe(settled, pods))).toEqual({ actions: [], recheckAfterMs: undefined });
  });
});
