import { describe, expect, test } from "vitest";
import type { Container, Pod } from "#machinery/api/core-v1.ts";
import { cpuQuota, cpuShares, linuxResources, oomScoreAdj, podCgroup, podLimits, qosClassOf } from "./resources.ts";
import { container } from "./testing/node.ts";

const GIB = 2 ** 30;
const pod = (containers: readonly Container[], spec: Partial<Pod["spec"]> = {}) => ({
  apiVersion: "v1" as const,
  kind: "Pod" as const,
  metadata: { name: "web", uid: "u" },
  spec: { containers, ...spec },
});
const sized = (name: string, requests: Readonly<Record<string, string>>, limits: Readonly<Record<string, string>> = {}) =>
  container(name, { resources: { requests, limits } });

const full = { cpu: "500m", memory: "1Gi" };
const classes: readonly (readonly [string, Container[], string])[] = [
  ["nothing asked", [container("a")], "BestEffort"],
  ["only other resources asked", [sized("a", { "ephemeral-storage": "1Gi" })], "BestEffort"],
  ["requests equal limits", [sized("a", full, full)], "Guaranteed"],
  ["limits alone", [sized("a", {}, full)], "Guaranteed"],
  ["the same amount, written otherwise", [sized("a", { cpu: "0.5", memory: "1024Mi" }, full)], "Guaranteed"],
  ["requests below limits", [sized("a", { cpu: "100m", memory: "1Gi" }, full)], "Burstable"],
  ["memory alone", [sized("a", { memory: "1Gi" }, { memory: "1Gi" })], "Burstable"],
  ["one of two asks nothing", [sized("a", full, full), container("b")], "Burstable"],
];
test.each(classes)("qosClassOf(): %s", (_, containers, wanted) => {
  expect(qosClassOf(pod(containers))).toBe(wanted);
});

test("podCgroup() sets Guaranteed pods apart", () => {
  expect(podCgroup("/navarch", pod([sized("a", full, full)]))).toBe("/navarch/kubepods/podu");
  expect(podCgroup("/navarch", pod([sized("a", { cpu: "1" })]))).toBe("/navarch/kubepods/burstable/podu");
  expect(podCgroup("", pod([container("a")]))).toBe("/kubepods/besteffort/podu");
});

describe("oomScoreAdj()", () => {
  const score = (each: Container, spec: Partial<Pod["spec"]> = {}) => oomScoreAdj(pod([each], spec), each, 10 * GIB);
  test("by class and share of memory", () => {
    expect(score(sized("a", full, full))).toBe(-997);
    expect(score(container("a"))).toBe(1000);
    expect(score(sized("a", { memory: "1Gi" }))).toBe(900);
    expect(score(sized("a", { cpu: "1" }))).toBe(999);
    expect(score(sized("a", { memory: "10Gi" }))).toBe(3);
    expect(score(container("a"), { priority: 2_000_000_000 })).toBe(-997);
  });

  test("a sidecar lives as long as what it serves", () => {
    const side = { ...sized("side", { memory: "1Gi" }), restartPolicy: "Always" };
    expect(oomScoreAdj(pod([sized("main", { memory: "5Gi" })], { initContainers: [side] }), side, 10 * GIB)).toBe(500);
  });
});

test("cpuShares() and cpuQuota() stay within the kernel's limits", () => {
  expect([0, 1, 100, 1000, 1_000_000].map(cpuShares)).toEqual([2, 2, 102, 1024, 262_144]);
  expect([0, 1, 500, 2000].map(cpuQuota)).toEqual([0, 1_000, 50_000, 200_000]);
});

test("linuxResources() limits what has a limit", () => {
  const each = sized("a", { cpu: "250m" }, { cpu: "500m", memory: "64Mi" });
  expect(linuxResources(pod([each]), each, GIB)).toEqual({
    cpuShares: 256,
    cpuPeriod: 100_000,
    cpuQuota: 50_000,
    memoryLimitInBytes: 64 * 2 ** 20,
    oomScoreAdj: 938,
  });
  expect(linuxResources(pod([container("b")]), container("b"), GIB)).toEqual({ cpuShares: 2, oomScoreAdj: 1000 });
});

test("podLimits() sums containers, and limits the pod only where each has a limit", () => {
  expect(podLimits(pod([sized("a", full, full), sized("b", full, full)]))).toEqual({
    cpuShares: 1024,
    cpuQuota: 100_000,
    memoryBytes: 2 * GIB,
  });
  expect(podLimits(pod([sized("a", full, full), sized("b", full)]))).toEqual({ cpuShares: 1024 });
  expect(
    podLimits(pod([sized("a", full, full)], { initContainers: [sized("i", { cpu: "2", memory: "1Gi" }, { cpu: "2", memory: "3Gi" })] })),
  ).toEqual({
    cpuShares: 2048,
    cpuQuota: 200_000,
    memoryBytes: 3 * GIB,
  });
});
