import { describe, expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { type Deferred, deferred } from "#base/deferred.ts";
import { type Log, type LogFields, silentLog } from "#base/log.ts";
import { type ChangeBatch, type Commit, type Key, type Revision, type Store, StoreUnavailableError } from "./contract.ts";
import { createMemoryStore } from "./memory.ts";
import { createWatchHub, type HubOptions, type ResourceCache, type Snapshot, type WatchMessage } from "./watch-hub.ts";

const PODS = "/pods/";

/** Bytes are `<stored>@<revision>`; what begins with `!` cannot be decoded. */
const decode: HubOptions["decode"] = (_key, value, revision) => {
  const stored = Buffer.from(value).toString();
  if (stored.startsWith("!")) throw new SyntaxError("not decodable");
  return { bytes: Buffer.from(`${stored}@${revision}`), labels: { stored }, fields: {} };
};

describe("createWatchHub()", () => {
  test("W1: a watcher receives every change after its revision, in order, exactly once, with what was there before", async () => {
    await using world = await openWorld();
    const { put, remove, watch, cache } = world;
    await put("/pods/a/1", "one"); // 1, before the cache
    const pods = await cache();
    await put("/pods/a/1", "two"); // 2
    await put("/nodes/x", "other"); // 3
    const last = await put("/pods/b/1", "one"); // 4
    await pods.waitFor(last, live);
    const early = watch(pods, PODS, 1);
    const now = watch(pods, PODS, 4);
    await remove("/pods/a/1"); // 5
    expect(await early.take(3)).toEqual([
      "MODIFIED /pods/a/1 two@2 was one@1",
      "ADDED /pods/b/1 one@4",
      "DELETED /pods/a/1 two@5 was two@2",
    ]);
    expect(await now.take(1)).toEqual(["DELETED /pods/a/1 two@5 was two@2"]);
  });

  test("W1: a watcher of a longer prefix receives what lies under it only", async () => {
    await using world = await openWorld();
    const pods = await world.cache();
    const watch = world.watch(pods, "/pods/b/", 0);
    await world.put("/pods/a/1", "x");
    await world.put("/pods/b/1", "x");
    await world.put("/pods/bb/1", "x");
    await world.remove("/pods/b/1");
    expect(await watch.take(2)).toEqual(["ADDED /pods/b/1 x@2", "DELETED /pods/b/1 x@4 was x@2"]);
    expect(await world.watch(pods, "/pods/b/", 2).take(1)).toEqual(["DELETED /pods/b/1 x@4 was x@2"]);
  });

  test("W1: without a revision a watcher is told the state as ADDED, then progress, then what comes", async () => {
    await using world = await openWorld();
    const pods = await world.cache();
    await world.put("/pods/b/1", "x");
    await pods.waitFor(await world.put("/pods/a/1", "y"), live);
    const watch = world.watch(pods, PODS, undefined);
    await world.put("/pods/a/1", "z");
    expect(await watch.take(4)).toEqual(["ADDED /pods/a/1 y@2", "ADDED /pods/b/1 x@1", "progress 2", "MODIFIED /pods/a/1 z@3 was y@2"]);
    expect(await world.watch(pods, "/pods/none/", undefined).take(1)).toEqual(["progress 3"]);
  });

  test("W1: a revision that history no longer reaches expires with upstream's words; one that it just reaches does not", async () => {
    await using world = await openWorld();
    await world.put("/pods/a/0", "before");
    const pods = await world.cache({ history: 3 });
    expect(await world.watch(pods, PODS, 0).take(1)).toEqual(["expired too old resource version: 0 (1)"]);
    let last = 0 as Revision;
    for (let i = 1; i <= 10; i++) last = await world.put(`/pods/a/${i}`, "x"); // 2..11
    await pods.waitFor(last, live);
    const tooOld = world.watch(pods, PODS, 7);
    expect(await tooOld.take(1)).toEqual(["expired too old resource version: 7 (8)"]);
    await tooOld.ended;
    expect(await world.watch(pods, PODS, 8).take(3)).toEqual(["ADDED /pods/a/8 x@9", "ADDED /pods/a/9 x@10", "ADDED /pods/a/10 x@11"]);
  });

  test("W1: a revision that is yet to come leaves out everything up to it", async () => {
    await using world = await openWorld({ progressEveryMs: 1000 });
    const pods = await world.cache();
    const watch = world.watch(pods, PODS, 2);
    await pods.waitFor(await world.put("/pods/a", "1"), live);
    await world.clock.advance(1000); // progress to 1 would go back
    await world.put("/pods/a", "2");
    await world.put("/pods/a", "3");
    expect(await watch.take(1)).toEqual(["MODIFIED /pods/a 3@3 was 2@2"]);
  });

  test("W3: a watcher too far behind is expired, others go on; the state told at the start does not count", async () => {
    await using world = await openWorld();
    for (let i = 0; i < 20; i++) await world.put(`/pods/old/${i}`, "x");
    const pods = await world.cache({ backlog: 5 });
    const slow = pods.watch(PODS, 20 as Revision, live)[Symbol.asyncIterator]();
    const patient = pods.watch(PODS, undefined, live)[Symbol.asyncIterator]();
    const quick = world.watch(pods, PODS, 20);
    for (let i = 1; i <= 5; i++) await pods.waitFor(await world.put("/pods/a", String(i)), live);
    for (let i = 0; i < 26; i++) expect((await patient.next()).value?.type).toBe(i === 20 ? "progress" : "event");
    await pods.waitFor(await world.put("/pods/a", "6"), live);
    expect(await slow.next()).toEqual({ done: false, value: { type: "expired", reason: "watcher is more than 5 events behind" } });
    expect(await slow.next()).toEqual({ done: true, value: undefined });
    expect((await patient.next()).value).toMatchObject({ event: { revision: 26 } });
    expect(await quick.take(6)).toHaveLength(6);
  });

  test("one event is the same object for all watchers", async () => {
    await using world = await openWorld();
    const pods = await world.cache();
    const streams = Array.from({ length: 20 }, () => pods.watch(PODS, 0 as Revision, new AbortController().signal)[Symbol.asyncIterator]());
    await world.put("/pods/a", "1");
    const messages = await Promise.all(streams.map(async (stream) => (await stream.next()).value));
    expect(new Set(messages).size).toBe(1);
    expect(new Set(pods.list(PODS).entries).has((messages[0] as WatchMessage & { type: "event" }).event.entry)).toBe(true);
  });

  test("W4: progress comes after everything it covers, also when nothing changes under the prefix", async () => {
    await using world = await openWorld({ progressEveryMs: 1000 });
    const pods = await world.cache();
    const watch = world.watch(pods, PODS, 0);
    await world.put("/pods/a", "1");
    await pods.waitFor(await world.put("/nodes/x", "1"), live);
    await world.clock.advance(1000);
    await pods.waitFor(await world.put("/nodes/x", "2"), live);
    await world.clock.advance(1000);
    expect(await watch.take(3)).toEqual(["ADDED /pods/a 1@1", "progress 2", "progress 3"]);
  });

  test("W5: after waitFor() a list holds one's own writes, also writes under other prefixes", async () => {
    await using world = await openWorld();
    const pods = await world.cache();
    for (let i = 1; i <= 50; i++) {
      await pods.waitFor(await world.put("/pods/a", String(i)), live);
      expect(shown(pods.list(PODS))).toEqual([i, `${i}@${i}`]);
    }
    const revision = await world.put("/nodes/x", "1");
    await pods.waitFor(revision, live);
    expect(pods.revision()).toBe(revision);
  });

  test("W5: waitFor() ends with the signal's reason, and with an error when the hub is closed", async () => {
    await using world = await openWorld();
    const pods = await world.cache();
    const abort = new AbortController();
    const aborted = pods.waitFor(9 as Revision, abort.signal);
    abort.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    await expect(pods.waitFor(9 as Revision, abort.signal)).rejects.toThrow("enough");
    const [closed] = await Promise.allSettled([pods.waitFor(9 as Revision, live), world.hub[Symbol.asyncDispose]()]);
    expect(closed).toMatchObject({
      status: "rejected",
      reason: new StoreUnavailableError('Cannot wait for "/pods/": the watch hub is closed, wanted an open one'),
    });
    await expect(world.cache()).resolves.toBe(pods); // what it knew can still be read
    await expect(world.hub.cache("/other/", { decode })).rejects.toThrow(StoreUnavailableError);
  });

  test("lists are ordered by key, by namespace, and snapshots never change", async () => {
    await using world = await openWorld();
    const pods = await world.cache();
    const names = Array.from({ length: 3000 }, (_, i) => `/pods/ns-${(i * 7) % 3}/web-${(i * 7919) % 3000}`);
    let last = 0 as Revision;
    for (const name of names) last = await world.put(name, "x");
    await pods.waitFor(last, live);
    const before = pods.list(PODS);
    const keys = before.entries.map(({ key }) => key);
    expect(keys).toEqual([...names].sort());
    expect(pods.list("/pods/ns-1/").entries.map(({ key }) => key)).toEqual(keys.filter((key) => key.startsWith("/pods/ns-1/")));
    expect(pods.list("/pods/ns-9/").entries).toEqual([]);
    expect(pods.list(PODS).entries).toBe(before.entries); // nothing has changed: the same answer
    for (const name of names.slice(0, 2990)) last = await world.remove(name);
    await pods.waitFor(last, live);
    expect(before.entries).toHaveLength(3000);
    expect(pods.list(PODS).entries.map(({ key }) => key)).toEqual(names.slice(2990).sort());
    expect(pods.get(names[0] as Key)).toBeUndefined();
    expect(pods.get(names[2999] as Key)?.labels).toEqual({ stored: "x" });
  });

  test("caches of one prefix are one cache, of several prefixes share one watch of the store", async () => {
    await using world = await openWorld();
    const [one, two] = await Promise.all([world.cache(), world.cache()]);
    expect(one).toBe(two);
    await world.hub.cache("/nodes/", { decode });
    expect(world.watches()).toBe(1);
  });

  test("changes made while a prefix is being read are neither lost nor told twice", async () => {
    await using world = await openWorld();
    for (let i = 0; i < 10; i++) await world.put(`/pods/${i}`, "x");
    const reading = world.holdRanges();
    const opening = world.cache();
    await reading.reached;
    await world.put("/pods/3", "y"); // not in what has been read
    await world.remove("/pods/4");
    await world.clock.advance(0);
    reading.release();
    const pods = await opening;
    expect(pods.list(PODS).entries.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([
      "x@1",
      "x@2",
      "x@3",
      "y@11",
      "x@6",
      "x@7",
      "x@8",
      "x@9",
      "x@10",
    ]);
    expect(pods.revision()).toBe(12);
    expect(await world.watch(pods, PODS, 10).take(2)).toEqual(["MODIFIED /pods/3 y@11 was x@4", "DELETED /pods/4 x@12 was x@5"]);
  });

  test("a watch of the store that fails or ends is resumed where it was; watchers notice nothing", async () => {
    await using world = await openWorld();
    const pods = await world.cache();
    const watch = world.watch(pods, PODS, 0);
    await pods.waitFor(await world.put("/pods/a", "1"), live);
    for (const failure of [new Error("connection lost"), undefined]) {
      await world.breakWatch(failure);
      await world.put("/pods/a", "2");
      await world.put("/pods/a", "3");
      await world.clock.advance(60_000);
    }
    await pods.waitFor(5 as Revision, live);
    expect((await watch.take(5)).map((line) => line.replace(/ was.*/, ""))).toEqual([
      "ADDED /pods/a 1@1",
      "MODIFIED /pods/a 2@2",
      "MODIFIED /pods/a 3@3",
      "MODIFIED /pods/a 2@4",
      "MODIFIED /pods/a 3@5",
    ]);
    expect(world.logged).toEqual([
      "warn Watch of the store failed, resuming it",
      "info Watch of the store resumed",
      "warn Watch of the store ended, resuming it",
      "info Watch of the store resumed",
    ]);
  });

  test("when the store's history is gone, watchers expire, the state is read anew, and new watchers work", async () => {
    await using world = await openWorld();
    const pods = await world.cache();
    await world.put("/pods/a", "1");
    await pods.waitFor(await world.put("/pods/b", "1"), live);
    const old = world.watch(pods, PODS, 2);
    await world.breakWatch(new Error("connection lost"));
    await world.put("/pods/a", "2");
    await world.remove("/pods/b");
    await world.store.compact(await world.put("/pods/c", "1"));
    await world.clock.advance(60_000);
    expect(await old.take(1)).toEqual(["expired the watch cache has lost the store's history and is read anew"]);
    await old.ended;
    await pods.waitFor(5 as Revision, live);
    expect(shown(pods.list(PODS))).toEqual([5, "2@3", "1@5"]);
    expect(await world.watch(pods, PODS, 4).take(1)).toEqual(["expired too old resource version: 4 (5)"]);
    const fresh = world.watch(pods, PODS, 5);
    await world.put("/pods/c", "2");
    expect(await fresh.take(1)).toEqual(["MODIFIED /pods/c 2@6 was 1@5"]);
  });

  test("objects read together share memory and nothing else; those that are written later have their own", async () => {
    await using world = await openWorld();
    const { put, cache } = world;
    const lengths = Array.from({ length: 1_200 }, (_, i) => (i % 97 === 0 ? 20_000 : 100 + (i % 50) * 7));
    for (const [i, length] of lengths.entries()) await put(`/pods/a/${i}`, String(i).padEnd(length, "x"));
    let given = 0;
    const pods = await cache({
      decode: (_key, value, _revision, allocate) => {
        if (allocate !== undefined) given++;
        const bytes = allocate?.(value.length) ?? Buffer.from("own");
        if (allocate !== undefined) bytes.set(value);
        return { bytes, labels: {}, fields: {} };
      },
    });
    for (const [i, length] of lengths.entries())
      expect(Buffer.from(pods.get(`/pods/a/${i}` as Key)?.bytes ?? []).toString()).toBe(String(i).padEnd(length, "x"));
    expect(given).toBe(lengths.length);
    const slabs = new Set(pods.list(PODS).entries.map(({ bytes }) => bytes.buffer));
    expect(slabs.size).toBeLessThan(lengths.length / 10);
    await pods.waitFor(await put("/pods/a/0", "again"), live);
    expect(Buffer.from(pods.get("/pods/a/0" as Key)?.bytes ?? []).toString()).toBe("own");
  });

  test("an object that cannot be decoded is left out and logged; the others are served", async () => {
    await using world = await openWorld();
    await world.put("/pods/a", "!");
    await world.put("/pods/b", "1");
    const pods = await world.cache();
    expect(shown(pods.list(PODS))).toEqual([2, "1@2"]);
    const watch = world.watch(pods, PODS, 2);
    await world.put("/pods/b", "!!");
    await world.put("/pods/a", "1");
    await world.remove("/pods/b");
    await world.put("/pods/c", "1");
    expect(await watch.take(3)).toEqual(["DELETED /pods/b 1@3 was 1@2", "ADDED /pods/a 1@4", "ADDED /pods/c 1@6"]);
    expect(new Set(world.logged)).toEqual(new Set(["error Stored object cannot be decoded and is left out"]));
  });

  test("an aborted watcher ends without an error and costs nothing more; so does one that is left", async () => {
    await using world = await openWorld();
    const pods = await world.cache();
    const abort = new AbortController();
    const aborted = pods.watch(PODS, 0 as Revision, abort.signal)[Symbol.asyncIterator]();
    const waiting = aborted.next();
    abort.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(await pods.watch(PODS, undefined, abort.signal)[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
    await world.put("/pods/a", "1");
    for await (const message of pods.watch(PODS, 0 as Revision, live)) {
      expect(message.type).toBe("event");
      break;
    }
  });

  test("a store that cannot be read fails the first use, and the next one tries again", async () => {
    await using world = await openWorld();
    world.failRanges(1);
    await expect(world.cache()).rejects.toThrow("range failed");
    expect((await world.cache()).list(PODS).entries).toEqual([]);
  });
});

const live = new AbortController().signal;

function shown({ revision, entries }: Snapshot): unknown[] {
  return [revision, ...entries.map(({ bytes }) => Buffer.from(bytes).toString())];
}

function lineOf(message: WatchMessage): string {
  if (message.type === "progress") return `progress ${message.revision}`;
  if (message.type === "expired") return `expired ${message.reason}`;
  const { type, entry, previous, revision } = message.event;
  expect(entry.revision).toBe(revision);
  const was = previous === undefined ? "" : ` was ${Buffer.from(previous.bytes).toString()}`;
  return `${type} ${entry.key} ${Buffer.from(entry.bytes).toString()}${was}`;
}

function revisionOf(commit: Commit): Revision {
  if (!commit.ok) throw new Error(`commit failed: ${commit.because}`);
  return commit.revision;
}

/** A hub over a memory store whose watches and ranges a test can break and hold. */
async function openWorld(options: { progressEveryMs: number } = { progressEveryMs: 1e9 }) {
  const clock = createFakeClock();
  const memory = createMemoryStore({ clock });
  let failing = 0;
  let held: { reached: Deferred<void>; released: Deferred<void> } | undefined;
  const watching = new Set<(failure: Error | undefined) => void>();
  const logged: string[] = [];
  const at = (level: string) => (sentence: string, _fields?: LogFields) => void logged.push(`${level} ${sentence}`);
  const log: Log = { ...silentLog, info: at("info"), warn: at("warn"), error: at("error") };

  const store: Store = {
    ...memory,
    async range(range, options) {
      if (failing-- > 0) throw new Error("range failed");
      const result = await memory.range(range, options);
      held?.reached.resolve();
      await held?.released.promise;
      return result;
    },
    async *watch(range, from, signal): AsyncGenerator<ChangeBatch> {
      const broken = deferred<Error | undefined>();
      watching.add(broken.resolve);
      try {
        const reader = memory.watch(range, from, signal)[Symbol.asyncIterator]();
        for (;;) {
          const next = await Promise.race([reader.next(), broken.promise.then((failure) => ({ failure }))]);
          if ("failure" in next) {
            await reader.return?.();
            if (next.failure === undefined) return;
            throw next.failure;
          }
          if (next.done === true) return;
          yield next.value;
        }
      } finally {
        watching.delete(broken.resolve);
      }
    },
  };
  const hub = createWatchHub({ store, clock, log }, options);
  const abort = new AbortController();

  return {
    clock,
    store,
    hub,
    logged,
    cache: (more: Partial<HubOptions> = {}): Promise<ResourceCache> => hub.cache(PODS, { decode, ...more }),
    watches: () => watching.size,
    async breakWatch(failure: Error | undefined) {
      for (const end of watching) end(failure);
      await clock.advance(0); // the hub notices, and waits before it resumes
    },
    failRanges(times: number) {
      failing = times;
    },
    holdRanges() {
      held = { reached: deferred(), released: deferred() };
      const { reached, released } = held;
      return {
        reached: reached.promise,
        release() {
          held = undefined;
          released.resolve();
        },
      };
    },
    async put(key: string, value: string): Promise<Revision> {
      return revisionOf(await memory.commit({ put: key as Key, value: Buffer.from(value), expect: "any" }));
    },
    async remove(key: string): Promise<Revision> {
      return revisionOf(await memory.commit({ delete: key as Key, expect: "any" }));
    },
    watch(cache: ResourceCache, prefix: string, after: number | undefined) {
      const stream = cache.watch(prefix, after as Revision | undefined, abort.signal);
      const lines: string[] = [];
      let wake = () => {};
      const ended = (async () => {
        for await (const message of stream) {
          lines.push(lineOf(message));
          wake();
        }
      })();
      return {
        ended,
        async take(count: number): Promise<string[]> {
          while (lines.length < count) await Promise.race([ended, new Promise<void>((resolve) => (wake = resolve))]);
          return lines.splice(0, count);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      abort.abort();
      await hub[Symbol.asyncDispose]();
      await memory[Symbol.asyncDispose]();
    },
  };
}
