import { describe, expect, test } from "vitest";
import type { ControllerRevision, DaemonSet } from "#machinery/api/apps-v1.ts";
import type { PodSpec } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { meta, node, pod, START } from "#testing/builders.ts";
import { DaemonSetKind } from "#kinds/apps/daemon-set.ts";
import type { Action } from "../action.ts";
import { templatePatch } from "../controllerrevisions/revisions.ts";
import { controllerRef } from "../owners.ts";
import { daemonTolerations, eligibilityOf } from "./nodes.ts";
import { type ObservedDaemonSet, planDaemonSet } from "./plan.ts";

const NOW = Date.parse(START) + 60_000;
const labels = { app: "agent" };

function daemonSet(spec: Partial<DaemonSet["spec"]> = {}, podSpec: Partial<PodSpec> = {}): Stored<DaemonSet> {
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: meta("daemonset", "agent", { namespace: "default" }),
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "main" }], ...podSpec } },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      ...spec,
    },
  };
}

function revision(set: Stored<DaemonSet>, hash: string, number: number, image?: string): Stored<ControllerRevision> {
  const template = image === undefined ? set.spec.template : { spec: { containers: [{ name: "main", image }] } };
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: meta("controllerrevision", `agent-${hash}`, {
      namespace: "default",
      labels: { ...labels, "controller-revision-hash": hash },
      ownerReferences: [controllerRef(DaemonSetKind, set)],
    }),
    data: templatePatch(template),
    revision: number,
  };
}

const surging = { updateStrategy: { type: "RollingUpdate" as const, rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } };
const owner = controllerRef(DaemonSetKind, daemonSet());
const on = (name: string, at: string, hash: string, ready = true, more: Parameters<typeof pod>[1] = {}) =>
  pod(name, { labels: { ...labels, "controller-revision-hash": hash }, owner, node: at, ready, ...more });

function plan(set: Stored<DaemonSet>, more: Partial<ObservedDaemonSet>): readonly string[] {
  const observed: ObservedDaemonSet = {
    set,
    nodes: [node("n1"), node("n2")],
    pods: [],
    revisions: [revision(set, "new", 2), revision(set, "old", 1, "v0")],
    nameTaken: () => false,
    replaceAt: () => NOW,
    now: NOW,
    ...more,
  };
  return planDaemonSet(observed)
    .actions.filter((action) => action.do !== "update")
    .map(told);
}

function told(action: Action): string {
  switch (action.do) {
    case "create": {
      const { spec } = action.object as ReturnType<typeof pod>;
      const term = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms[0];
      return `create ${action.kind.plural} ${term?.matchFields?.[0]?.values?.[0] ?? action.object.metadata.name}`;
    }
    case "event":
      return `${action.note.type} ${action.note.reason}: ${action.note.message}`;
    case "delete":
    case "patch":
      return `${action.do} ${action.object.name}`;
    case "update":
      return `update ${action.object.metadata.name}`;
  }
}

describe("planDaemonSet()", () => {
  test.each([
    { name: "a pod for every node", set: daemonSet(), pods: [], wants: ["create pods n1", "create pods n2"] },
    {
      name: "the older of two goes never",
      set: daemonSet(),
      pods: [on("a", "n1", "new"), on("b", "n1", "new", true, { created: "2030-01-01T00:00:10Z" }), on("c", "n2", "new")],
      wants: ["delete b"],
    },
    { name: "one old pod at a time", set: daemonSet(), pods: [on("a", "n1", "old"), on("b", "n2", "old")], wants: ["delete a"] },
    { name: "none while one is down", set: daemonSet(), pods: [on("a", "n1", "new", false), on("b", "n2", "old")], wants: [] },
    {
      name: "one that is broken anyway",
      set: daemonSet(),
      pods: [on("a", "n1", "new", false), on("b", "n2", "old", false)],
      wants: ["delete b"],
    },
    {
      name: "OnDelete leaves them",
      set: daemonSet({ updateStrategy: { type: "OnDelete" } }),
      pods: [on("a", "n1", "old"), on("b", "n2", "old")],
      wants: [],
    },
    {
      name: "with surge the new one comes first",
      set: daemonSet(surging),
      pods: [on("a", "n1", "old"), on("b", "n2", "old")],
      wants: ["create pods n1"],
    },
    {
      name: "and the old one stays until it is available",
      set: daemonSet(surging),
      pods: [on("a", "n1", "old"), on("a2", "n1", "new", false), on("b", "n2", "old")],
      wants: [],
    },
    {
      name: "then goes",
      set: daemonSet(surging),
      pods: [on("a", "n1", "old"), on("a2", "n1", "new"), on("b", "n2", "old")],
      wants: ["delete a"],
    },
    {
      name: "failed pods are replaced",
      set: daemonSet(),
      pods: [on("a", "n1", "new", false, { phase: "Failed" }), on("b", "n2", "new")],
      wants: ["Warning FailedDaemonPod: Found failed daemon pod default/a on node n1, will try to kill it", "delete a"],
    },
    {
      name: "those that ended well too",
      set: daemonSet(),
      pods: [on("a", "n1", "new", false, { phase: "Succeeded" }), on("b", "n2", "new")],
      wants: ["Normal SucceededDaemonPod: Found succeeded daemon pod default/a on node n1, will try to delete it", "delete a"],
    },
    {
      name: "a pod that is going keeps its place",
      set: daemonSet(),
      pods: [on("a", "n1", "new", false, { deleting: true }), on("b", "n2", "new")],
      wants: [],
    },
  ])("$name", ({ set, pods, wants }) => {
    expect(plan(set, { pods })).toEqual(wants);
  });

  test("failed pods wait for their time", () => {
    const pods = [on("a", "n1", "new", false, { phase: "Failed" }), on("b", "n2", "new")];
    expect(plan(daemonSet(), { pods, replaceAt: () => NOW + 4_000 })).toEqual([]);
  });

  test("the revision comes first; a taken name raises the collision count", () => {
    const set = daemonSet();
    expect(plan(set, { revisions: [] })).toEqual([expect.stringMatching(/^create controllerrevisions agent-[a-z0-9]+$/)]);
    const observed = { set, nodes: [], pods: [], revisions: [], nameTaken: () => true, replaceAt: () => NOW, now: NOW };
    expect(planDaemonSet(observed).actions).toMatchObject([{ do: "update", object: { status: { collisionCount: 1 } } }]);
  });

  test("status counts nodes, not pods", () => {
    const set = daemonSet();
    const nodes = [node("n1"), node("n2"), node("n3", { taints: [{ key: "x", effect: "NoSchedule" }] })];
    const pods = [on("a", "n1", "new"), on("b", "n2", "old", false), on("c", "n3", "new")];
    const revisions = [revision(set, "new", 1)];
    const { actions } = planDaemonSet({ set, nodes, pods, revisions, nameTaken: () => false, replaceAt: () => NOW, now: NOW });
    expect(actions.find((action) => action.do === "update")).toMatchObject({
      object: {
        status: {
          desiredNumberScheduled: 2,
          currentNumberScheduled: 2,
          numberMisscheduled: 1,
          numberReady: 1,
          updatedNumberScheduled: 1,
          numberAvailable: 1,
          numberUnavailable: 1,
          observedGeneration: 1,
        },
      },
    });
  });
});

describe("eligibilityOf()", () => {
  const both = { shouldRun: true, shouldContinue: true };
  const stay = { shouldRun: false, shouldContinue: true };
  const neither = { shouldRun: false, shouldContinue: false };
  const term = (values: readonly string[]) => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: "zone", operator: "In" as const, values }] }],
        },
      },
    },
  });
  test.each([
    { name: "any node", spec: {}, on: node("n"), is: both },
    {
      name: "cordoned",
      spec: {},
      on: node("n", { taints: [{ key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" }] }),
      is: both,
    },
    { name: "not ready", spec: {}, on: node("n", { taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoExecute" }] }), is: both },
    { name: "NoSchedule", spec: {}, on: node("n", { taints: [{ key: "x", effect: "NoSchedule" }] }), is: stay },
    { name: "NoExecute", spec: {}, on: node("n", { taints: [{ key: "x", effect: "NoExecute" }] }), is: neither },
    {
      name: "tolerated",
      spec: { tolerations: [{ operator: "Exists" as const }] },
      on: node("n", { taints: [{ key: "x", effect: "NoExecute" }] }),
      is: both,
    },
    { name: "selector", spec: { nodeSelector: { zone: "a" } }, on: node("n", { labels: { zone: "a" } }), is: both },
    { name: "other selector", spec: { nodeSelector: { zone: "b" } }, on: node("n", { labels: { zone: "a" } }), is: neither },
    { name: "affinity", spec: term(["a", "b"]), on: node("n", { labels: { zone: "a" } }), is: both },
    { name: "other affinity", spec: term(["b"]), on: node("n", { labels: { zone: "a" } }), is: neither },
    {
      name: "no network",
      spec: {},
      on: node("n", { taints: [{ key: "node.kubernetes.io/network-unavailable", effect: "NoSchedule" }] }),
      is: stay,
    },
    {
      name: "no network, own network",
      spec: { hostNetwork: true },
      on: node("n", { taints: [{ key: "node.kubernetes.io/network-unavailable", effect: "NoSchedule" }] }),
      is: both,
    },
  ])("$name", ({ spec, on, is }) => {
    expect(eligibilityOf(daemonSet({}, spec), on)).toEqual(is);
  });

  test("six tolerations are added, each once", () => {
    const own = [{ key: "node.kubernetes.io/not-ready", operator: "Exists" as const, effect: "NoExecute" as const, tolerationSeconds: 5 }];
    expect(
      daemonTolerations({ containers: [], tolerations: own }).map(
        ({ key, effect }) => `${key?.slice("node.kubernetes.io/".length)}:${effect}`,
      ),
    ).toEqual([
      "not-ready:NoExecute",
      "unreachable:NoExecute",
      "disk-pressure:NoSchedule",
      "memory-pressure:NoSchedule",
      "pid-pressure:NoSchedule",
      "unschedulable:NoSchedule",
    ]);
  });
});
