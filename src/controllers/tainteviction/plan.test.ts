import { describe, expect, test } from "vitest";
import { node, pod, START } from "#testing/builders.ts";
import { planTaintEviction } from "./plan.ts";

const AT = Date.parse(START);
const taint = { key: "node.kubernetes.io/unreachable", effect: "NoExecute" } as const;
const for5Minutes = { key: taint.key, operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 } as const;
const plan = (
  tolerations: NonNullable<ReturnType<typeof pod>["spec"]["tolerations"]>,
  afterMs: number,
  taints: readonly (typeof taint | { key: string; effect: "NoExecute" })[] = [taint],
) =>
  planTaintEviction({
    node: node("n1", { taints }),
    since: () => AT,
    pods: [pod("a", { node: "n1", spec: { tolerations } })],
    now: AT + afterMs,
  });

describe("planTaintEviction()", () => {
  test("a pod that does not tolerate the taint goes at once, marked and announced", () => {
    expect(plan([], 0).actions).toMatchObject([
      { do: "event", note: { reason: "TaintManagerEviction", message: "Marking for deletion Pod default/a" } },
      { do: "patch", subresource: "status" },
      { do: "delete", object: { name: "a", uid: "pod-a" } },
    ]);
  });
  test("a pod that tolerates it for 5 minutes goes after 5 minutes", () => {
    expect(plan([for5Minutes], 100_000)).toEqual({ actions: [], recheckAfterMs: 200_000 });
    expect(plan([for5Minutes], 300_000).actions).toHaveLength(3);
  });
  test("a pod that tolerates it for ever stays", () => {
    expect(plan([{ operator: "Exists" }], 1e9)).toEqual({ actions: [], recheckAfterMs: undefined });
  });
  test("every taint must be tolerated", () => {
    expect(plan([for5Minutes], 0, [taint, { key: "other", effect: "NoExecute" }]).actions).toHaveLength(3);
  });
});
