import { describe, expect, test } from "vitest";
import { StatefulSetKind } from "#kinds/apps/stateful-set.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { ControllerRevision, StatefulSet, StatefulSetStatus } from "#machinery/api/apps-v1.ts";
import type { PersistentVolumeClaim } from "#machinery/api/core-v1.ts";
import type { OwnerReference } from "#machinery/api/meta-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { meta, pod, START } from "#testing/builders.ts";
import type { Action } from "../action.ts";
import { templatePatch } from "../controllerrevisions/revisions.ts";
import { controllerRef } from "../owners.ts";
import { type ObservedStatefulSet, planStatefulSet } from "./plan.ts";

const NOW = Date.parse(START) + 60_000;
const labels = { app: "web" };

function statefulSet(spec: Partial<StatefulSet["spec"]> = {}, status?: StatefulSetStatus): Stored<StatefulSet> {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: meta("statefulset", "web", { namespace: "default" }),
    spec: {
      replicas: 3,
      serviceName: "web",
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "main" }] } },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
      ...spec,
    },
    ...(status === undefined ? {} : { status }),
  };
}

function revision(hash: string, number: number, image?: string): Stored<ControllerRevision> {
  const template = image === undefined ? statefulSet().spec.template : { spec: { containers: [{ name: "main", image }] } };
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: meta("controllerrevision", `web-${hash}`, { namespace: "default", labels, ownerReferences: [owner] }),
    data: templatePatch(template),
    revision: number,
  };
}

const owner = controllerRef(StatefulSetKind, statefulSet());
const member = (ordinal: number, options: Parameters<typeof pod>[1] & { readonly hash?: string } = {}) =>
  pod(`web-${ordinal}`, {
    owner,
    ready: true,
    ...options,
    labels: {
      ...labels,
      "controller-revision-hash": `web-${options.hash ?? "new"}`,
      "statefulset.kubernetes.io/pod-name": `web-${ordinal}`,
      "apps.kubernetes.io/pod-index": String(ordinal),
    },
  });

function observe(set: Stored<StatefulSet>, more: Partial<ObservedStatefulSet> = {}): ObservedStatefulSet {
  const revisions = [revision("new", 2), revision("old", 1, "v0")];
  return { set, pods: [], revisions, nameTaken: () => false, claimNamed: () => undefined, now: NOW, ...more };
}

function told(actions: readonly Action[]): readonly string[] {
  return actions.flatMap((action) => {
    switch (action.do) {
      case "create":
        return [`create ${action.object.metadata.name}`];
      case "delete":
        return [`delete ${action.object.name}`];
      case "event":
        return [`${action.note.type} ${action.note.reason}: ${action.note.message}`];
      case "patch":
        return [`patch ${action.object.name}: ${action.because}`];
      case "update":
        return [];
    }
  });
}

const parallel = { podManagementPolicy: "Parallel" as const };
const rolling = (rollingUpdate: { partition?: number; maxUnavailable?: number | string }) => ({
  updateStrategy: { type: "RollingUpdate" as const, rollingUpdate },
});
const old = { hash: "old" };
const unready = { ready: false, phase: "Running" as const };

describe("planStatefulSet()", () => {
  test.each([
    { name: "the first pod alone", spec: {}, pods: [], wants: ["create web-0"] },
    { name: "in parallel all", spec: parallel, pods: [], wants: ["create web-0", "create web-1", "create web-2"] },
    {
      name: "from another start",
      spec: { ...parallel, ordinals: { start: 5 } },
      pods: [],
      wants: ["create web-5", "create web-6", "create web-7"],
    },
    { name: "waits for the one before", spec: {}, pods: [member(0, unready)], wants: [] },
    { name: "fills a gap first", spec: {}, pods: [member(0), member(2)], wants: ["create web-1"] },
    { name: "the last goes first", spec: { replicas: 1 }, pods: [member(0), member(1), member(2)], wants: ["delete web-2"] },
    {
      name: "in parallel all go, the last first",
      spec: { ...parallel, replicas: 1 },
      pods: [member(0), member(1), member(2)],
      wants: ["delete web-2", "delete web-1"],
    },
    {
      name: "an unready one before it does not hold the last",
      spec: { replicas: 1 },
      pods: [member(0), member(1, unready), member(2)],
      wants: ["delete web-2"],
    },
    { name: "an unready last one goes", spec: { replicas: 2 }, pods: [member(0), member(1), member(2, unready)], wants: ["delete web-2"] },
    { name: "waits for one that is going", spec: { replicas: 1 }, pods: [member(0), member(1), member(2, { deleting: true })], wants: [] },
    {
      name: "a failed pod is made anew",
      spec: {},
      pods: [member(0, { phase: "Failed", ready: false })],
      wants: ["Warning RecreatingFailedPod: StatefulSet default/web is recreating failed Pod web-0", "delete web-0"],
    },
    {
      name: "an ended one too",
      spec: {},
      pods: [member(0, { phase: "Succeeded", ready: false })],
      wants: ["Normal RecreatingTerminatedPod: StatefulSet default/web is recreating terminated Pod web-0", "delete web-0"],
    },
    { name: "updates the last first", spec: {}, pods: [member(0, old), member(1, old), member(2, old)], wants: ["delete web-2"] },
    { name: "then the next", spec: {}, pods: [member(0, old), member(1, old), member(2)], wants: ["delete web-1"] },
    { name: "down to the partition", spec: rolling({ partition: 2 }), pods: [member(0, old), member(1, old), member(2)], wants: [] },
    {
      name: "two at a time",
      spec: rolling({ maxUnavailable: 2 }),
      pods: [member(0, old), member(1, old), member(2, old)],
      wants: ["delete web-2", "delete web-1"],
    },
    {
      name: "one more when one is down, and that one",
      spec: { ...parallel, ...rolling({ maxUnavailable: 2 }) },
      pods: [member(0, { ...old, ...unready }), member(1, old), member(2, old)],
      wants: ["delete web-2", "delete web-0"],
    },
    {
      name: "OnDelete leaves them",
      spec: { updateStrategy: { type: "OnDelete" as const } },
      pods: [member(0, old), member(1, old), member(2, old)],
      wants: [],
    },
  ])("$name", ({ spec, pods, wants }) => {
    expect(told(planStatefulSet(observe(statefulSet(spec), { pods })).actions)).toEqual(wants);
  });

  test("tells creates and deletes in upstream's words", () => {
    const [create] = planStatefulSet(observe(statefulSet())).actions;
    expect(create).toMatchObject({
      announce: {
        done: "SuccessfulCreate",
        failed: "FailedCreate",
        wording: { done: "create Pod web-0 in StatefulSet web successful", failed: "create Pod web-0 in StatefulSet web failed error: " },
      },
    });
  });

  test("status: current and updated until all are updated, then the update is the current revision", () => {
    const status = { replicas: 3, currentRevision: "web-old" };
    const statusOf = (pods: ObservedStatefulSet["pods"]) =>
      planStatefulSet(observe(statefulSet({}, status), { pods })).actions.find((action) => action.do === "update");
    expect(statusOf([member(0, old), member(1, old), member(2)])).toMatchObject({
      object: {
        status: {
          replicas: 3,
          readyReplicas: 3,
          availableReplicas: 3,
          currentReplicas: 2,
          updatedReplicas: 1,
          currentRevision: "web-old",
          updateRevision: "web-new",
          collisionCount: 0,
          observedGeneration: 1,
        },
      },
    });
    expect(statusOf([member(0), member(1), member(2)])).toMatchObject({
      object: { status: { currentReplicas: 3, updatedReplicas: 3, currentRevision: "web-new", updateRevision: "web-new" } },
    });
  });

  describe("claims", () => {
    const template: PersistentVolumeClaim = { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "www" }, spec: {} };
    const claim = (
      name: string,
      ownerReferences?: readonly OwnerReference[],
      deletionTimestamp?: string,
    ): Stored<PersistentVolumeClaim> => ({
      ...template,
      metadata: meta("claim", name, {
        namespace: "default",
        ...(ownerReferences === undefined ? {} : { ownerReferences }),
        ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      }),
    });
    const plan = (whenDeleted: string, whenScaled: string, owners: readonly OwnerReference[] | undefined) => {
      const set = statefulSet({
        replicas: 1,
        volumeClaimTemplates: [template],
        persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled },
      });
      const { actions } = planStatefulSet(observe(set, { pods: [member(0), member(1)], claimNamed: (name) => claim(name, owners) }));
      return actions.flatMap((action) => {
        if (action.do !== "patch" || action.patch.type !== "merge") return [];
        const { metadata } = action.patch.body as { readonly metadata: { readonly ownerReferences: readonly OwnerReference[] | null } };
        return [`${action.object.name}: ${(metadata.ownerReferences ?? []).map(({ kind, name }) => `${kind} ${name}`).join()}`];
      });
    };
    test.each([
      { deleted: "Retain", scaled: "Retain", owners: undefined, wants: [] },
      { deleted: "Retain", scaled: "Retain", owners: [owner], wants: ["www-web-0: ", "www-web-1: "] },
      { deleted: "Delete", scaled: "Retain", owners: undefined, wants: ["www-web-0: StatefulSet web", "www-web-1: StatefulSet web"] },
      { deleted: "Retain", scaled: "Delete", owners: undefined, wants: ["www-web-1: Pod web-1"] },
      { deleted: "Delete", scaled: "Delete", owners: [owner], wants: ["www-web-1: Pod web-1"] },
    ])("owners with whenDeleted $deleted and whenScaled $scaled, before: $owners", ({ deleted, scaled, owners, wants }) => {
      expect(plan(deleted, scaled, owners)).toEqual(wants);
    });

    test("no pod is made on a claim that goes away", () => {
      const set = statefulSet({ volumeClaimTemplates: [template] });
      const going = planStatefulSet(observe(set, { claimNamed: (name) => claim(name, undefined, START) }));
      expect(told(going.actions)).toEqual([]);
      expect(going.recheckAfterMs).toBe(1_000);
      const ofPod = [controllerRef(PodKind, member(0))];
      expect(told(planStatefulSet(observe(set, { claimNamed: (name) => claim(name, ofPod) })).actions)).toEqual([]);
      expect(told(planStatefulSet(observe(set)).actions)).toEqual(["create www-web-0", "create web-0"]);
    });
  });
});
