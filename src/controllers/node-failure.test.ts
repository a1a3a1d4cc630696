import { expect, test } from "vitest";
import { formatMicroTime } from "#base/clock.ts";
import { LeaseKind } from "#kinds/coordination/lease.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Node, Pod } from "#machinery/api/core-v1.ts";
import { node, pod } from "#testing/builders.ts";
import { startFakeWorld } from "#testing/fake-world.ts";
import { nodeLifecycleController } from "./nodelifecycle/controller.ts";
import { podGcController } from "./podgc/controller.ts";
import { taintEvictionController } from "./tainteviction/controller.ts";

const fresh = <T extends Node | Pod>(object: T): T => {
  const { uid: _u, resourceVersion: _r, creationTimestamp: _c, ...metadata } = object.metadata;
  return { ...object, metadata };
};

test("a node goes silent: Unknown after 40 s, pods evicted after their 5 minutes; deleted, its last pods are collected", async () => {
  await using world = await startFakeWorld([nodeLifecycleController, taintEvictionController, podGcController]);
  const { client, clock, signal } = world;
  const tolerations = ["not-ready", "unreachable"].map((key) => ({
    key: `node.kubernetes.io/${key}`,
    operator: "Exists" as const,
    effect: "NoExecute" as const,
    tolerationSeconds: 300,
  }));
  for (const name of ["n1", "n2"]) {
    await client.create(NodeKind, fresh(node(name)), signal);
    const metadata = { name, namespace: "kube-node-lease" };
    await client.create(
      LeaseKind,
      { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec: { holderIdentity: name } },
      signal,
    );
  }
  await client.create(PodKind, fresh(pod("web", { node: "n1", ready: true, ip: "10.0.0.1", spec: { tolerations } })), signal);
  await client.create(
    PodKind,
    fresh(pod("agent", { node: "n1", ready: true, ip: "10.0.0.2", spec: { tolerations: [{ operator: "Exists" }] } })),
    signal,
  );
  const live = async (ms: number, names: readonly string[]) => {
    for (let passed = 0; passed < ms; passed += 10_000) {
      for (const name of names) {
        const spec = { renewTime: formatMicroTime(clock.now()) };
        await client.patch(LeaseKind, { name, namespace: "kube-node-lease" }, { type: "merge", body: { spec } }, {}, signal);
      }
      await clock.advance(10_000);
    }
  };
  const ready = async (name: string) =>
    (await client.get<Node>(NodeKind, { name, namespace: undefined }, signal)).status?.conditions?.[0]?.status;
  const taints = async (name: string) =>
    (await client.get<Node>(NodeKind, { name, namespace: undefined }, signal)).spec.taints?.map(({ key, effect }) => `${key}:${effect}`);
  const pods = () => client.all<Pod>(PodKind).map(({ metadata }) => metadata.name);

  await live(300_000, ["n1", "n2"]);
  expect([await ready("n1"), await taints("n1")]).toEqual(["True", undefined]);
  await live(30_000, ["n2"]);
  expect(await ready("n1")).toBe("True");
  await live(20_000, ["n2"]);
  expect([await ready("n1"), await taints("n1")]).toEqual([
    "Unknown",
    ["node.kubernetes.io/unreachable:NoSchedule", "node.kubernetes.io/unreachable:NoExecute"],
  ]);
  expect((await client.get<Pod>(PodKind, { name: "web", namespace: "default" }, signal)).status?.conditions?.[0]).toMatchObject({
    type: "Ready",
    status: "False",
  });
  expect(await ready("n2")).toBe("True");
  await live(270_000, ["n2"]);
  expect(pods()).toEqual(["web", "agent"]);
  await live(30_000, ["n2"]);
  expect(pods()).toEqual(["agent"]);
  await client.delete(NodeKind, { name: "n1", namespace: undefined }, {}, signal);
  await live(30_000, ["n2"]);
  expect(pods()).toEqual(["agent"]);
  await live(40_000, ["n2"]);
  expect(pods()).toEqual([]);
});
