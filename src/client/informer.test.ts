import { describe, expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { seededEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import { expired } from "#machinery/status.ts";
import { createFakeClient } from "#testing/fake-client.ts";
import { createInformerFactory } from "./informer-factory.ts";

const draft = (name: string, labels: Record<string, string> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", labels },
  spec: { containers: [] },
});

async function start() {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  const informers = createInformerFactory({ client, clock, entropy: seededEntropy(2), log: silentLog });
  const abort = new AbortController();
  const pods = informers.informer(PodKind, {
    indexes: { app: ({ metadata }) => (metadata.labels?.app === undefined ? [] : [metadata.labels.app]) },
  });
  const seen: string[] = [];
  pods.onEvent(({ type, object }) => seen.push(`${type} ${object.metadata.name}`));
  await client.create(PodKind, draft("a", { app: "x" }), abort.signal);
  const running = informers.run(abort.signal);
  await pods.synced;
  return { clock, client, informers, pods, seen, abort, running, signal: abort.signal };
}

describe("createInformerFactory()", () => {
  test("I1, I2: lists, then follows, and keeps indexes", async () => {
    const { client, pods, seen, clock, abort, running, signal } = await start();
    expect(seen).toEqual(["added a"]);
    await client.create(PodKind, draft("b", { app: "x" }), signal);
    const a = await client.patch(
      PodKind,
      { name: "a", namespace: "default" },
      { type: "merge", body: { metadata: { labels: { app: "y" } } } },
      {},
      signal,
    );
    await client.delete(PodKind, { name: "b", namespace: "default" }, {}, signal);
    await clock.advance(0);
    expect(seen).toEqual(["added a", "added b", "updated a", "deleted b"]);
    expect(pods.lister.byIndex("app", "x")).toEqual([]);
    expect(pods.lister.byIndex("app", "y")).toEqual([a]);
    expect(pods.lister.list("default")).toEqual([a]);
    abort.abort();
    await running;
  });

  test("I3: lists anew when its version expired, and tells the difference", async () => {
    const { client, pods, seen, clock, abort, running, signal } = await start();
    let broken = false;
    client.failOn((verb) => (verb === "watch" && !broken ? ((broken = true), expired("too old resource version: 1 (2)")) : undefined));
    // The present watch goes on; a second informer meets the expired version at once and lists again.
    const informers = createInformerFactory({ client, clock, entropy: seededEntropy(3), log: silentLog });
    const again = informers.informer(PodKind);
    const second = informers.run(signal);
    await again.synced;
    await client.create(PodKind, draft("c"), signal);
    await clock.advance(60_000);
    expect(broken).toBe(true);
    expect(again.lister.list().map(({ metadata }) => metadata.name)).toEqual(["a", "c"]);
    expect(pods.lister.list()).toHaveLength(2);
    expect(seen).toEqual(["added a", "added c"]);
    abort.abort();
    await Promise.all([running, second]);
  });

  test("a late handler first sees what is there; one kind is watched once", async () => {
    const { informers, abort, running } = await start();
    const seen: string[] = [];
    informers.informer(PodKind).onEvent(({ type, object }) => seen.push(`${type} ${object.metadata.name}`));
    expect(seen).toEqual(["added a"]);
    abort.abort();
    await running;
  });

  test("objects are frozen under test", async () => {
    const { pods, abort, running } = await start();
    expect(Object.isFrozen(pods.lister.get({ name: "a", namespace: "default" })?.metadata)).toBe(true);
    abort.abort();
    await running;
  });

  test("a handler that throws ends the run: it is a bug", async () => {
    const { client, pods, running, signal } = await start();
    pods.onEvent(({ object }) => {
      if (object.metadata.name === "boom") throw new Error("no");
    });
    await client.create(PodKind, draft("boom"), signal);
    await expect(running).rejects.toThrow("handler of pods threw: no");
  });
});
