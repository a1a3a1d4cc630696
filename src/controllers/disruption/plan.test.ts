import { describe, expect, test } from "vitest";
import type { PodDisruptionBudget, PodDisruptionBudgetStatus } from "#machinery/api/policy-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { meta, pod, START } from "#testing/builders.ts";
import { type ObservedBudget, planDisruption, type Scale } from "./plan.ts";

const NOW = Date.parse(START) + 60_000;

function budget(spec: PodDisruptionBudget["spec"], status?: PodDisruptionBudgetStatus): Stored<PodDisruptionBudget> {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: meta("pdb", "web", { namespace: "default" }),
    spec: { selector: { matchLabels: { app: "web" } }, ...spec },
    ...(status === undefined ? {} : { status }),
  };
}

const pods = (ready: number, unready = 0) =>
  Array.from({ length: ready + unready }, (_, i) => pod(`web-${i}`, { labels: { app: "web" }, ready: i < ready }));
const of =
  (replicas: number): ObservedBudget["scaleOf"] =>
  () => ({ uid: "set", replicas });
const unmanaged = (): Scale | undefined => undefined;

function statusOf(observed: Omit<ObservedBudget, "now">): PodDisruptionBudgetStatus | undefined {
  const update = planDisruption({ ...observed, now: NOW }).actions.find((action) => action.do === "update");
  return update?.do === "update" ? (update.object as PodDisruptionBudget).status : undefined;
}

describe("planDisruption()", () => {
  test.each([
    { name: "minAvailable", spec: { minAvailable: 2 }, ready: 3, unready: 0, scale: unmanaged, told: [3, 2, 3, 1] },
    { name: "minAvailable in percent, rounded up", spec: { minAvailable: "50%" }, ready: 3, unready: 0, scale: of(3), told: [3, 2, 3, 1] },
    { name: "maxUnavailable", spec: { maxUnavailable: 1 }, ready: 3, unready: 0, scale: of(3), told: [3, 2, 3, 1] },
    {
      name: "maxUnavailable in percent, rounded up",
      spec: { maxUnavailable: "30%" },
      ready: 3,
      unready: 1,
      scale: of(4),
      told: [3, 2, 4, 1],
    },
    { name: "too few healthy", spec: { minAvailable: 3 }, ready: 2, unready: 1, scale: of(3), told: [2, 3, 3, 0] },
    { name: "more unavailable than there are", spec: { maxUnavailable: 9 }, ready: 2, unready: 0, scale: of(2), told: [2, 0, 2, 2] },
    { name: "no pods", spec: { minAvailable: 0 }, ready: 0, unready: 0, scale: of(2), told: [0, 0, 0, 0] },
  ])("$name", ({ spec, ready, unready, scale, told }) => {
    const [currentHealthy, desiredHealthy, expectedPods, disruptionsAllowed] = told;
    const allowed = disruptionsAllowed !== 0;
    expect(statusOf({ budget: budget(spec), pods: pods(ready, unready), scaleOf: scale })).toEqual({
      observedGeneration: 1,
      currentHealthy,
      desiredHealthy,
      expectedPods,
      disruptionsAllowed,
      conditions: [
        {
          type: "DisruptionAllowed",
          status: allowed ? "True" : "False",
          reason: allowed ? "SufficientPods" : "InsufficientPods",
          message: "",
          observedGeneration: 1,
          lastTransitionTime: "2030-01-01T00:01:00Z",
        },
      ],
    });
  });

  test("an evicted pod is not healthy until it is gone or the eviction is two minutes old", () => {
    const disruptedPods = { "web-0": "2030-01-01T00:00:30Z", "web-9": START };
    const present = { disruptionsAllowed: 0, currentHealthy: 3, desiredHealthy: 1, expectedPods: 3, disruptedPods };
    const observed = { budget: budget({ minAvailable: 1 }, present), pods: pods(3), scaleOf: of(3), now: NOW };
    expect(statusOf(observed)).toMatchObject({
      currentHealthy: 2,
      disruptionsAllowed: 1,
      disruptedPods: { "web-0": "2030-01-01T00:00:30Z" },
    });
    expect(planDisruption(observed).recheckAfterMs).toBe(90_001);
    const late = planDisruption({ ...observed, now: NOW + 90_000 });
    expect(late.actions[0]).toMatchObject({
      note: { reason: "NotDeleted", message: "Pod was expected by PDB default/web to be deleted but it wasn't" },
    });
  });

  test("pods whose number nobody knows allow no disruption", () => {
    const error = "jobs.batch does not implement the scale subresource";
    const observed = { budget: budget({ maxUnavailable: 1 }), pods: pods(3), scaleOf: (): Scale => ({ error }), now: NOW };
    expect(statusOf(observed)).toMatchObject({
      disruptionsAllowed: 0,
      conditions: [{ status: "False", reason: "SyncFailed", message: error }],
    });
    expect(planDisruption(observed).actions[0]).toMatchObject({
      note: { reason: "CalculateExpectedPodCountFailed", message: `Failed to calculate the number of expected pods: ${error}` },
    });
  });

  test("says it once: with its status written nothing is left to do", () => {
    const observed = { budget: budget({ maxUnavailable: 1 }), pods: pods(3), scaleOf: unmanaged, now: NOW };
    const status = statusOf(observed);
    if (status === undefined) throw new Error("no status was written");
    expect(planDisruption({ ...observed, budget: budget({ maxUnavailable: 1 }, status), now: NOW + 5000 }).actions).toEqual([]);
  });
});
