import { describe, expect, test } from "vitest";
import { node, pod, START } from "#testing/builders.ts";
import type { Action } from "../action.ts";
import { type ObservedNode, planNodeLifecycle } from "./plan.ts";

const NOW = Date.parse(START) + 3_600_000;
const observe = (more: Partial<ObservedNode> = {}): ObservedNode => ({
  node: node("n1"),
  isNew: false,
  heartbeatAt: NOW,
  othersReady: true,
  pods: [],
  gracePeriodMs: 40_000,
  now: NOW,
  ...more,
});

function told(actions: readonly Action[]): readonly string[] {
  return actions.map((action) => {
    if (action.do === "event") return `event ${action.note.reason}`;
    if (action.do === "patch") {
      const { spec } = action.patch.body as {
        readonly spec: { readonly taints: readonly { readonly key: string; readonly effect: string }[] };
      };
      return `taints ${spec.taints.map(({ key, effect }) => `${key.replace("node.kubernetes.io/", "")}:${effect}`).join(",")}`;
    }
    if (action.do === "update") {
      const { status } = action.object as {
        readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[] };
      };
      return `${action.kind.kind} ${(status?.conditions ?? []).map(({ type, status, reason }) => `${type}=${status} ${reason ?? ""}`.trim()).join(", ")}`;
    }
    return action.do;
  });
}

const UNREACHABLE = { key: "node.kubernetes.io/unreachable", effect: "NoExecute" } as const;

describe("planNodeLifecycle()", () => {
  test("a healthy node needs nothing but a look when its grace period would end", () => {
    expect(planNodeLifecycle(observe({ heartbeatAt: NOW - 10_000 }))).toEqual({ actions: [], recheckAfterMs: 30_001 });
  });

  test("a node silent for 40 s becomes Unknown, and its pods unready", () => {
    const { actions } = planNodeLifecycle(
      observe({ heartbeatAt: NOW - 40_000, pods: [pod("a", { node: "n1", ready: true }), pod("b", { node: "n1", ready: false })] }),
    );
    expect(told(actions)).toEqual([
      "Node Ready=Unknown NodeStatusUnknown, MemoryPressure=Unknown NodeStatusNeverUpdated, DiskPressure=Unknown NodeStatusNeverUpdated, PIDPressure=Unknown NodeStatusNeverUpdated",
      "event NodeNotReady",
      "Pod Ready=False",
      "event NodeNotReady",
    ]);
  });

  test("a node that never said anything has a minute", () => {
    const silent = { ...node("n1"), status: {} };
    expect(planNodeLifecycle(observe({ node: silent, heartbeatAt: NOW - 59_000 })).recheckAfterMs).toBe(1001);
    expect(told(planNodeLifecycle(observe({ node: silent, heartbeatAt: NOW - 60_000 })).actions)[0]).toContain(
      "Ready=Unknown NodeStatusNeverUpdated",
    );
  });

  test.each<[string, Partial<ObservedNode>, readonly string[]]>([
    [
      "Unknown: unreachable, also evicting",
      { node: node("n1", { ready: "Unknown" }) },
      ["taints unreachable:NoSchedule,unreachable:NoExecute"],
    ],
    ["False: not ready, also evicting", { node: node("n1", { ready: "False" }) }, ["taints not-ready:NoSchedule,not-ready:NoExecute"]],
    [
      "no other node is ready: nobody is evicted",
      { node: node("n1", { ready: "Unknown" }), othersReady: false },
      ["taints unreachable:NoSchedule"],
    ],
    [
      "ready again: ours go, others stay",
      { node: node("n1", { taints: [{ key: "mine", effect: "NoSchedule" }, UNREACHABLE, { ...UNREACHABLE, effect: "NoSchedule" }] }) },
      ["taints mine:NoSchedule"],
    ],
    ["cordoned", { node: node("n1", { unschedulable: true }) }, ["taints unschedulable:NoSchedule"]],
  ])("%s", (_name, more, expected) => {
    expect(told(planNodeLifecycle(observe(more)).actions)).toEqual(expected);
  });

  test("a node is announced once", () => {
    expect(planNodeLifecycle(observe({ isNew: true })).actions).toMatchObject([
      { do: "event", note: { reason: "RegisteredNode", message: "Node n1 event: Registered Node n1 in Controller" } },
    ]);
  });
});
