import { describe, expect, test } from "vitest";
import { ReplicaSetKind } from "#kinds/apps/replica-set.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { OwnerReference } from "#machinery/api/meta-v1.ts";
import { pod, replicaSet, START } from "#testing/builders.ts";
import { type Known, type OwnerState, planGarbage } from "./plan.ts";

const ref = (uid: string, blockOwnerDeletion = true): OwnerReference => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  name: uid,
  uid,
  blockOwnerDeletion,
});
const dependent = (name: string, owner: OwnerReference): Known => ({ kind: PodKind, object: pod(name, { owner }) });
const set = (more: { finalizers?: readonly string[]; deleting?: boolean; owners?: readonly OwnerReference[] } = {}): Known => ({
  kind: ReplicaSetKind,
  object: replicaSet(
    "rs",
    {},
    {
      metadata: {
        ...(more.finalizers === undefined ? {} : { finalizers: more.finalizers }),
        ...(more.deleting === true ? { deletionTimestamp: START } : {}),
        ...(more.owners === undefined ? {} : { ownerReferences: more.owners }),
      },
    },
  ),
});
const plan = (item: Known, states: readonly OwnerState[], dependents: readonly Known[] = []) =>
  planGarbage({ item, owners: states.map((state, i) => ({ ref: ref(`o${i}`), state })), dependents }).actions;

describe("planGarbage()", () => {
  test.each<[string, readonly OwnerState[], unknown]>([
    ["an owner is there", ["present"], []],
    ["its only owner is gone", ["absent"], [{ do: "delete", options: { propagationPolicy: "Background", resourceVersion: "1" } }]],
    [
      "one of two owners is gone",
      ["present", "absent"],
      [{ do: "patch", patch: { body: { metadata: { ownerReferences: [{ uid: "o0" }] } } } }],
    ],
    ["its owner waits for it", ["waiting"], [{ do: "delete" }]],
    ["one owner is gone, one waits", ["absent", "waiting"], [{ do: "delete" }]],
  ])("%s", (_name, states, expected) => {
    expect(plan(set({ owners: states.map((_, i) => ref(`o${i}`)) }), states)).toMatchObject(expected as object);
  });

  test("what has dependents of its own and an owner that waits is deleted in the foreground", () => {
    expect(plan(set(), ["waiting"], [dependent("p", ref("replicaset-rs"))])).toMatchObject([
      { do: "delete", options: { propagationPolicy: "Foreground" } },
    ]);
  });

  test("a foreground deletion ends when nothing blocks it any more", () => {
    const item = set({ deleting: true, finalizers: ["foregroundDeletion", "mine"] });
    expect(plan(item, [], [dependent("p", ref("replicaset-rs"))])).toEqual([]);
    const done = [{ do: "patch", patch: { body: { metadata: { finalizers: ["mine"] } } } }];
    expect(plan(item, [], [dependent("p", ref("replicaset-rs", false))])).toMatchObject(done);
    expect(plan(item, [])).toMatchObject(done);
  });

  test("an orphaning deletion lets the dependents go first", () => {
    const item = set({ deleting: true, finalizers: ["orphan"] });
    expect(plan(item, [], [dependent("p", ref("replicaset-rs"))])).toMatchObject([
      { do: "patch", object: { name: "p" }, patch: { body: { metadata: { ownerReferences: null } } } },
    ]);
    expect(plan(item, [])).toMatchObject([{ do: "patch", object: { name: "rs" }, patch: { body: { metadata: { finalizers: null } } } }]);
  });

  test("other finalizers are none of its business", () => {
    expect(plan(set({ deleting: true, finalizers: ["mine"] }), ["absent"])).toEqual([]);
  });
});
