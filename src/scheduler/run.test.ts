import { describe, expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { seededEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { openScope } from "#base/scope.ts";
import type { EventNote } from "#client/contract.ts";
import { createInformerFactory } from "#client/informer-factory.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import { conflict } from "#machinery/status.ts";
import { node, pod } from "#testing/builders.ts";
import { createFakeClient } from "#testing/fake-client.ts";
import { runScheduler } from "./run.ts";

async function start() {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  const scope = openScope(new AbortController().signal);
  const informers = createInformerFactory({ client, clock, entropy: seededEntropy(1), log: silentLog });
  const notes: string[] = [];
  const events = { record: ({ type, reason, message }: EventNote) => void notes.push(`${type} ${reason} ${message}`) };
  scope.spawn("scheduler", (signal) =>
    runScheduler({ client, informers, clock, entropy: seededEntropy(2), log: silentLog, events }, signal),
  );
  scope.spawn("informers", (signal) => informers.run(signal));
  const { signal } = scope;
  return {
    clock,
    client,
    notes,
    signal,
    addPod: (name: string, options: Parameters<typeof pod>[1] = {}) => client.create(PodKind, bare(pod(name, options)), signal),
    addNode: (name: string, options: Parameters<typeof node>[1] = {}) => client.create(NodeKind, bare(node(name, options)), signal),
    placed: () => Object.fromEntries(client.all<Pod>(PodKind).map(({ metadata, spec }) => [metadata.name, spec.nodeName])),
    [Symbol.asyncDispose]: () => scope.close(),
  };
}

function bare<T extends { readonly metadata: object }>(object: T): T {
  const { uid: _u, resourceVersion: _r, ...metadata } = object.metadata as Record<string, unknown>;
  return { ...object, metadata };
}

describe("runScheduler()", () => {
  test("binds pods and says where", async () => {
    await using world = await start();
    await world.addNode("n1");
    await world.addPod("kubia-1");
    await world.clock.advance(100);
    expect(world.placed()).toEqual({ "kubia-1": "n1" });
    expect(world.notes).toEqual(["Normal Scheduled Successfully assigned default/kubia-1 to n1"]);
  });

  test("tells why a pod waits, in an event and its condition, and tries again when a node comes", async () => {
    await using world = await start();
    await world.addNode("n1", { allocatable: { cpu: "1" } });
    await world.addPod("big", { requests: { cpu: "2" } });
    await world.clock.advance(100);
    const message =
      "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.";
    expect(world.notes).toEqual([`Warning FailedScheduling ${message}`]);
    const [waiting] = world.client.all<Pod>(PodKind);
    expect(waiting?.status?.conditions).toEqual([
      {
        type: "PodScheduled",
        observedGeneration: 1,
        status: "False",
        lastTransitionTime: "2030-01-01T00:00:00Z",
        reason: "Unschedulable",
        message,
      },
    ]);
    await world.addNode("n2");
    await world.clock.advance(2000);
    expect(world.placed()).toEqual({ big: "n2" });
  });

  test("counts pods it has placed before the caches show them", async () => {
    await using world = await start();
    await world.addNode("n1", { allocatable: { cpu: "2" } });
    for (const name of ["a", "b", "c"]) await world.addPod(name, { requests: { cpu: "1" } });
    await world.clock.advance(100);
    expect(Object.values(world.placed()).filter((name) => name === "n1")).toHaveLength(2);
    await world.client.delete(
      PodKind,
      { name: Object.entries(world.placed()).find(([, on]) => on === "n1")?.[0] ?? "", namespace: "default" },
      {},
      world.signal,
    );
    await world.clock.advance(2000);
    expect(Object.values(world.placed())).toEqual(["n1", "n1"]);
  });

  test("leaves gated pods and pods of other schedulers alone", async () => {
    await using world = await start();
    await world.addNode("n1");
    await world.addPod("gated", { spec: { schedulingGates: [{ name: "wait" }] } });
    await world.addPod("alien", { spec: { schedulerName: "other" } });
    await world.clock.advance(10_000);
    expect(world.placed()).toEqual({ gated: undefined, alien: undefined });
    await world.client.patch(
      PodKind,
      { name: "gated", namespace: "default" },
      { type: "merge", body: { spec: { schedulingGates: null } } },
      {},
      world.signal,
    );
    await world.clock.advance(100);
    expect(world.placed()).toEqual({ gated: "n1", alien: undefined });
  });

  test("a binding that fails frees the node and is tried again after its back-off", async () => {
    await using world = await start();
    await world.addNode("n1", { allocatable: { cpu: "1" } });
    let refusals = 1;
    world.client.failOn((verb, kind, name) => (verb === "binding" && refusals-- > 0 ? conflict(kind, name, "try again") : undefined));
    await world.addPod("a", { requests: { cpu: "1" } });
    await world.clock.advance(500);
    expect(world.placed()).toEqual({ a: undefined });
    await world.clock.advance(1000);
    expect(world.placed()).toEqual({ a: "n1" });
  });
});
