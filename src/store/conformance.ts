import { describe, expect, test } from "vitest";
import { createFakeClock, type FakeClock } from "#base/clock.ts";
import {
  type ChangeBatch,
  type Commit,
  CompactedError,
  FutureRevisionError,
  type Key,
  type KeyRange,
  type KeyValue,
  type LeaseId,
  LeaseNotFoundError,
  prefixRange,
  type Revision,
  type Store,
  StoreUnavailableError,
} from "./contract.ts";

export interface ConformanceOptions {
  /** Tests a store cannot pass, by name, each with the sentence that says why. */
  readonly skip?: Readonly<Record<string, string>>;
}

/** The tests that every store passes, one or more for each clause of the contract. `open` answers an empty store each time. */
export function describeStore(name: string, open: (clock: FakeClock) => Promise<Store>, options: ConformanceOptions = {}): void {
  const { skip = {} } = options;

  describe(`${name} keeps the store's contract`, () => {
    check("C1: revisions begin at 1 and grow by one for each change", async (store) => {
      expect(await store.revision()).toBe(0);
      expect(await put(store, "/a", "1")).toMatchObject({ ok: true, revision: 1, previous: undefined });
      expect(await put(store, "/b", "1")).toMatchObject({ ok: true, revision: 2 });
      expect(await remove(store, "/a")).toMatchObject({ ok: true, revision: 3 });
      expect(await store.revision()).toBe(3);
    });

    check("C1: commits that are asked for together are numbered without a gap", async (store) => {
      const commits = await Promise.all(Array.from({ length: 200 }, (_, i) => put(store, `/k/${i % 7}`, String(i))));
      const revisions = commits.map((commit) => (commit.ok ? commit.revision : 0)).sort((a, b) => a - b);
      expect(revisions).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
    });

    check("C1: a put answers what it replaced", async (store) => {
      await put(store, "/a", "one");
      expect(shown(await put(store, "/a", "two"))).toEqual({ ok: true, revision: 2, previous: ["/a", "one", 1, 1] });
      expect(shown(await remove(store, "/a"))).toEqual({ ok: true, revision: 3, previous: ["/a", "two", 1, 2] });
      expect(shown(await put(store, "/a", "three"))).toEqual({ ok: true, revision: 4, previous: undefined });
      expect(kvs(await store.range(prefixRange("/")))).toEqual([["/a", "three", 4, 4]]);
    });

    check("C1: a commit whose expectation is wrong changes nothing, takes no revision and tells the current state", async (store) => {
      await put(store, "/a", "one");
      await put(store, "/a", "two");
      const current = ["/a", "two", 1, 2];
      expect(shown(await put(store, "/a", "x", "absent"))).toEqual({ ok: false, because: "exists", current });
      expect(shown(await put(store, "/a", "x", 1 as Revision))).toEqual({ ok: false, because: "modRevision", current });
      expect(shown(await remove(store, "/a", 1 as Revision))).toEqual({ ok: false, because: "modRevision", current });
      expect(shown(await put(store, "/b", "x", 1 as Revision))).toEqual({ ok: false, because: "missing", current: undefined });
      expect(shown(await remove(store, "/b", 1 as Revision))).toEqual({ ok: false, because: "missing", current: undefined });
      expect(shown(await remove(store, "/b"))).toEqual({ ok: false, because: "missing", current: undefined });
      expect(await store.revision()).toBe(2);
      expect(kvs(await store.range(prefixRange("/")))).toEqual([current]);
    });

    check("C1: of many that expect the same revision one wins", async (store) => {
      await put(store, "/a", "0");
      const commits = await Promise.all(Array.from({ length: 50 }, (_, i) => put(store, "/a", String(i + 1), 1 as Revision)));
      expect(commits.filter(({ ok }) => ok)).toHaveLength(1);
      for (const commit of commits)
        if (!commit.ok) expect(shown(commit)).toMatchObject({ because: "modRevision", current: ["/a", "1", 1, 2] });
    });

    check("C1: keys are any Unicode, values any bytes", async (store) => {
      const keys = ["/z", "/é", "/\ue000", "/\u{1f600}", "/a b", "/a"];
      const value = Uint8Array.from({ length: 256 }, (_, i) => i);
      for (const key of keys) await store.commit({ put: key as Key, value, expect: "absent" });
      await store.commit({ put: "/empty" as Key, value: new Uint8Array(), expect: "absent" });
      const { kvs } = await store.range(prefixRange("/"));
      expect(kvs.map(({ key }) => key)).toEqual(["/a", "/a b", "/empty", "/z", "/é", "/\ue000", "/\u{1f600}"]); // by UTF-8 bytes
      for (const kv of kvs) expect([...kv.value]).toEqual(kv.key === "/empty" ? [] : [...value]);
      await expect(put(store, "", "x")).rejects.toThrow(RangeError);
      await expect(put(store, "/\ud800", "x")).rejects.toThrow(RangeError);
      expect(await store.revision()).toBe(7);
    });

    check("C1: large values come back whole", async (store) => {
      const value = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 31) % 251);
      await store.commit({ put: "/large" as Key, value, expect: "any" });
      const kv = await store.get("/large" as Key);
      expect(Buffer.from(kv?.value ?? []).equals(value)).toBe(true);
    });

    check("C2: a read sees every commit answered before it", async (store) => {
      for (let i = 1; i <= 20; i++) {
        await put(store, "/a", String(i));
        expect(text((await store.get("/a" as Key))?.value)).toBe(String(i));
        expect(await store.revision()).toBe(i);
      }
    });

    check("C2: ranges are half open, ordered, limited, and say what remains", async (store) => {
      for (const key of ["/p/c", "/p/a", "/q/a", "/p/b", "/p", "/p/", "/p0"]) await put(store, key, key);
      expect(keys(await store.range(prefixRange("/p/")))).toEqual(["/p/", "/p/a", "/p/b", "/p/c"]);
      expect(keys(await store.range({ from: "/p/b" as Key, to: "/q/a" as Key }))).toEqual(["/p/b", "/p/c", "/p0"]);
      expect(keys(await store.range({ from: "/p/c" as Key, to: undefined }))).toEqual(["/p/c", "/p0", "/q/a"]);
      expect(keys(await store.range(prefixRange("")))).toHaveLength(7);
      expect(keys(await store.range({ from: "/x" as Key, to: "/a" as Key }))).toEqual([]);
      const page = await store.range(prefixRange("/p/"), { limit: 3 });
      expect([keys(page), page.remaining, page.revision]).toEqual([["/p/", "/p/a", "/p/b"], 1, 7]);
      expect((await store.range(prefixRange("/p/"), { limit: 4 })).remaining).toBe(0);
      expect(await store.count(prefixRange("/p/"))).toBe(4);
      expect(await store.count(prefixRange(""))).toBe(7);
    });

    check("C2: reads at a revision see the state just after it", async (store) => {
      await put(store, "/a", "1"); // 1
      await put(store, "/b", "1"); // 2
      await put(store, "/a", "2"); // 3
      await remove(store, "/b"); // 4
      await put(store, "/b", "2"); // 5
      const at = async (revision: number) => kvs(await store.range(prefixRange("/"), { revision: revision as Revision }));
      expect(await at(0)).toEqual([]);
      expect(await at(1)).toEqual([["/a", "1", 1, 1]]);
      expect(await at(2)).toEqual([
        ["/a", "1", 1, 1],
        ["/b", "1", 2, 2],
      ]);
      expect(await at(3)).toEqual([
        ["/a", "2", 1, 3],
        ["/b", "1", 2, 2],
      ]);
      expect(await at(4)).toEqual([["/a", "2", 1, 3]]);
      expect(await at(5)).toEqual([
        ["/a", "2", 1, 3],
        ["/b", "2", 5, 5],
      ]);
      expect(await store.get("/b" as Key, { revision: 4 as Revision })).toBeUndefined();
      const page = await store.range(prefixRange("/"), { revision: 3 as Revision, limit: 1 });
      expect([kvs(page), page.remaining, page.revision]).toEqual([[["/a", "2", 1, 3]], 1, 3]);
      await expect(at(6)).rejects.toThrow(new FutureRevisionError(6 as Revision, 5 as Revision));
      await expect(store.get("/a" as Key, { revision: 6 as Revision })).rejects.toThrow(FutureRevisionError);
    });

    check("C3: a watch delivers past and coming changes of its range in order, exactly once, with what they replaced", async (store) => {
      await put(store, "/p/a", "1");
      await put(store, "/q/a", "1");
      await put(store, "/p/a", "2");
      const watch = watchFrom(store, prefixRange("/p/"), 2);
      expect(await watch.take(1)).toEqual([["put", ["/p/a", "2", 1, 3], ["/p/a", "1", 1, 1]]]);
      await put(store, "/q/a", "2");
      await put(store, "/p/b", "1");
      await remove(store, "/p/a");
      expect(await watch.take(2)).toEqual([
        ["put", ["/p/b", "1", 5, 5], undefined],
        ["delete", "/p/a", 6, ["/p/a", "2", 1, 3]],
      ]);
      await watch.stop();
      expect(watch.rest()).toEqual([]);
    });

    check("C3: a watch from the next revision sees only what comes", async (store) => {
      await put(store, "/a", "1");
      const watch = watchFrom(store, prefixRange("/"), 2);
      await put(store, "/b", "1");
      expect(await watch.take(1)).toEqual([["put", ["/b", "1", 2, 2], undefined]]);
      await watch.stop();
    });

    check("C3: a watch from a later revision leaves out what comes before it", async (store) => {
      const watch = watchFrom(store, prefixRange("/"), 3);
      await put(store, "/a", "1");
      await put(store, "/a", "2");
      await put(store, "/a", "3");
      expect(await watch.take(1)).toEqual([["put", ["/a", "3", 1, 3], ["/a", "2", 1, 2]]]);
      await watch.stop();
    });

    check("C3: batches hold whole commits and name the last", async (store) => {
      const abort = new AbortController();
      const seen: ChangeBatch[] = [];
      const reading = (async () => {
        for await (const batch of store.watch(prefixRange("/"), 1 as Revision, abort.signal)) {
          seen.push(batch);
          if (batch.revision === 1500) abort.abort();
        }
      })();
      await Promise.all(Array.from({ length: 1500 }, (_, i) => put(store, `/k/${i}`, "x")));
      await reading;
      const revisions = seen.flatMap(({ changes }) =>
        changes.map((change) => (change.type === "put" ? change.kv.modRevision : change.revision)),
      );
      expect(revisions).toEqual(Array.from({ length: 1500 }, (_, i) => i + 1));
      for (const { changes, revision } of seen) {
        const last = changes.at(-1);
        expect(last?.type === "put" ? last.kv.modRevision : last?.revision).toBe(revision);
      }
    });

    check("C3: two watches are independent, and one that nobody reads harms neither the other nor the writers", async (store) => {
      const idle = new AbortController();
      const unread = store.watch(prefixRange("/"), 1 as Revision, idle.signal)[Symbol.asyncIterator]();
      const watch = watchFrom(store, prefixRange("/"), 1);
      for (let i = 0; i < 30; i++) await put(store, "/a", String(i));
      expect(await watch.take(30)).toHaveLength(30);
      const first = await unread.next();
      expect(first.done === true ? undefined : changeShown(first.value)[0]).toEqual(["put", ["/a", "0", 1, 1], undefined]);
      idle.abort();
      await watch.stop();
    });

    check("C3: an aborted watch ends without an error, before and while it is read", async (store) => {
      const early = new AbortController();
      early.abort();
      for await (const _ of store.watch(prefixRange("/"), 1 as Revision, early.signal)) expect.unreachable();
      const watch = watchFrom(store, prefixRange("/"), 1);
      await watch.stop();
      await put(store, "/a", "1");
      expect(watch.rest()).toEqual([]);
    });

    check("C3: a watch from a compacted revision throws CompactedError, one after it works", async (store) => {
      for (let i = 1; i <= 5; i++) await put(store, "/a", String(i));
      await store.compact(3 as Revision);
      for (const from of [1, 3]) {
        const { signal } = new AbortController();
        const next = nextOf(store.watch(prefixRange("/"), from as Revision, signal));
        await expect(next).rejects.toThrow(new CompactedError(from as Revision, 3 as Revision));
      }
      const watch = watchFrom(store, prefixRange("/"), 4);
      expect(await watch.take(2)).toEqual([
        ["put", ["/a", "4", 1, 4], ["/a", "3", 1, 3]],
        ["put", ["/a", "5", 1, 5], ["/a", "4", 1, 4]],
      ]);
      await watch.stop();
    });

    check("C3: a compaction does no harm to a watch that has begun", async (store) => {
      for (let i = 1; i <= 20; i++) await put(store, `/${i % 3}`, String(i));
      await remove(store, "/1");
      const abort = new AbortController();
      const reader = store.watch(prefixRange("/"), 1 as Revision, abort.signal)[Symbol.asyncIterator]();
      await store.compact(21 as Revision);
      await put(store, "/2", "last");
      const seen: unknown[] = [];
      while (seen.length < 22) {
        const { done, value } = await reader.next();
        if (done === true) break;
        seen.push(...changeShown(value));
      }
      expect(seen).toHaveLength(22);
      expect(seen.slice(0, 4)).toEqual([
        ["put", ["/1", "1", 1, 1], undefined],
        ["put", ["/2", "2", 2, 2], undefined],
        ["put", ["/0", "3", 3, 3], undefined],
        ["put", ["/1", "4", 1, 4], ["/1", "1", 1, 1]],
      ]);
      abort.abort();
    });

    check("C4: compaction makes earlier states unreadable and keeps later ones", async (store) => {
      await put(store, "/a", "1"); // 1
      await put(store, "/b", "1"); // 2
      await put(store, "/a", "2"); // 3
      await remove(store, "/b"); // 4
      await put(store, "/c", "1"); // 5
      await put(store, "/a", "3"); // 6
      await store.compact(4 as Revision);
      expect(await store.compactRevision()).toBe(4);
      await expect(store.range(prefixRange("/"), { revision: 3 as Revision })).rejects.toThrow(
        new CompactedError(3 as Revision, 4 as Revision),
      );
      await expect(store.get("/a" as Key, { revision: 1 as Revision })).rejects.toThrow(CompactedError);
      const at = async (revision: number) => kvs(await store.range(prefixRange("/"), { revision: revision as Revision }));
      expect(await at(4)).toEqual([["/a", "2", 1, 3]]);
      expect(await at(5)).toEqual([
        ["/a", "2", 1, 3],
        ["/c", "1", 5, 5],
      ]);
      expect(kvs(await store.range(prefixRange("/")))).toEqual([
        ["/a", "3", 1, 6],
        ["/c", "1", 5, 5],
      ]);
      expect(await put(store, "/b", "2", "absent")).toMatchObject({ ok: true, revision: 7 });
    });

    check("C4: compacting the past again changes nothing, compacting the future throws", async (store) => {
      for (let i = 1; i <= 3; i++) await put(store, "/a", String(i));
      await store.compact(2 as Revision);
      await store.compact(2 as Revision);
      await store.compact(1 as Revision);
      expect(await store.compactRevision()).toBe(2);
      await expect(store.compact(4 as Revision)).rejects.toThrow(FutureRevisionError);
      expect(await store.compactRevision()).toBe(2);
    });

    check("C4: compaction gives room back", async (store) => {
      for (let i = 1; i <= 300; i++) await put(store, "/a", "x".repeat(1000));
      const before = await store.sizeBytes();
      await store.compact(300 as Revision);
      await expect.poll(() => store.sizeBytes()).toBeLessThan(before / 50);
    });

    check("C5: a lease that is not kept alive deletes its keys, each as an ordinary commit", async (store, clock) => {
      const lease = await store.grantLease(10);
      await put(store, "/a", "1", "any", lease);
      await put(store, "/b", "1", "any", lease);
      await put(store, "/c", "1");
      expect((await store.get("/a" as Key))?.lease).toBe(lease);
      const watch = watchFrom(store, prefixRange("/"), 4);
      await clock.advance(9_000);
      expect(await store.count(prefixRange("/"))).toBe(3);
      expect(await store.keepLeaseAlive(lease)).toBe(true);
      await clock.advance(9_000);
      expect(await store.count(prefixRange("/"))).toBe(3);
      await clock.advance(2_000);
      expect((await watch.take(2)).map((change) => change.slice(0, 2))).toEqual([
        ["delete", "/a"],
        ["delete", "/b"],
      ]);
      expect(keys(await store.range(prefixRange("/")))).toEqual(["/c"]);
      expect(await store.revision()).toBe(5);
      expect(await store.keepLeaseAlive(lease)).toBe(false);
      await expect(put(store, "/d", "1", "any", lease)).rejects.toThrow(LeaseNotFoundError);
      await watch.stop();
    });

    check("C5: leases expire in order, each at its own time", async (store, clock) => {
      const long = await store.grantLease(100);
      const short = await store.grantLease(5);
      await put(store, "/long", "1", "any", long);
      await put(store, "/short", "1", "any", short);
      await clock.advance(6_000);
      await expect.poll(async () => keys(await store.range(prefixRange("/")))).toEqual(["/long"]);
      await clock.advance(95_000);
      await expect.poll(async () => keys(await store.range(prefixRange("/")))).toEqual([]);
    });

    check("C5: a put without the lease detaches the key, one with another lease moves it", async (store, clock) => {
      const [one, two] = [await store.grantLease(10), await store.grantLease(50)];
      for (const key of ["/a", "/b", "/c"]) await put(store, key, "1", "any", one);
      await put(store, "/a", "2");
      await put(store, "/b", "2", "any", two);
      await clock.advance(11_000);
      await expect.poll(async () => keys(await store.range(prefixRange("/")))).toEqual(["/a", "/b"]);
      expect((await store.get("/a" as Key))?.lease).toBeUndefined();
      await clock.advance(40_000);
      await expect.poll(async () => keys(await store.range(prefixRange("/")))).toEqual(["/a"]);
    });

    check("C5: revoking deletes at once; unknown leases are answered, not feared", async (store) => {
      const lease = await store.grantLease(10);
      await put(store, "/a", "1", "any", lease);
      await store.revokeLease(lease);
      expect(await store.count(prefixRange("/"))).toBe(0);
      expect(await store.revision()).toBe(2);
      await store.revokeLease(lease);
      await store.revokeLease("never" as LeaseId);
      expect(await store.keepLeaseAlive("never" as LeaseId)).toBe(false);
      await expect(put(store, "/a", "1", "any", "never" as LeaseId)).rejects.toThrow(LeaseNotFoundError);
      await expect(store.grantLease(0)).rejects.toThrow(RangeError);
      expect(await store.revision()).toBe(2);
    });

    check("C6: after dispose every method rejects and every watch ends", async (store) => {
      await put(store, "/a", "1");
      await store.grantLease(10);
      const watch = watchFrom(store, prefixRange("/"), 2);
      await store[Symbol.asyncDispose]();
      await watch.ended;
      await store[Symbol.asyncDispose]();
      const calls: (() => Promise<unknown>)[] = [
        () => store.revision(),
        () => store.compactRevision(),
        () => store.get("/a" as Key),
        () => store.range(prefixRange("/")),
        () => store.count(prefixRange("/")),
        () => put(store, "/a", "1"),
        () => nextOf(store.watch(prefixRange("/"), 1 as Revision, new AbortController().signal)),
        () => store.compact(1 as Revision),
        () => store.grantLease(1),
        () => store.keepLeaseAlive("1" as LeaseId),
        () => store.revokeLease("1" as LeaseId),
        () => store.sizeBytes(),
      ];
      for (const call of calls) await expect(call()).rejects.toThrow(StoreUnavailableError);
    });
  });

  function check(title: string, run: (store: Store, clock: FakeClock) => Promise<void>): void {
    const why = skip[title];
    test(`${title}${why === undefined ? "" : ` (${why})`}`, { skip: why !== undefined }, async () => {
      const clock = createFakeClock();
      await using store = await open(clock);
      await run(store, clock);
    });
  }
}

export type ShownKv = readonly [key: string, value: string, createRevision: number, modRevision: number];

export function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString();
}

export function kvShown(kv: KeyValue | undefined): ShownKv | undefined {
  return kv === undefined ? undefined : [kv.key, Buffer.from(kv.value).toString(), kv.createRevision, kv.modRevision];
}

/** Undefined stands for a watch that has ended. */
export function changeShown(batch: ChangeBatch | undefined): unknown[][] {
  return (batch?.changes ?? []).map((change) =>
    change.type === "put"
      ? ["put", kvShown(change.kv), kvShown(change.previous)]
      : ["delete", change.key, change.revision, kvShown(change.previous)],
  );
}

/** Begins to read a stream and answers its first item. */
export function nextOf<T>(stream: AsyncIterable<T>): Promise<IteratorResult<T, undefined>> {
  return stream[Symbol.asyncIterator]().next();
}

function shown(commit: Commit): unknown {
  return commit.ok
    ? { ok: true, revision: commit.revision, previous: kvShown(commit.previous) }
    : { ok: false, because: commit.because, current: kvShown(commit.current) };
}

function kvs(result: { readonly kvs: readonly KeyValue[] }): unknown[] {
  return result.kvs.map(kvShown);
}

function keys(result: { readonly kvs: readonly KeyValue[] }): string[] {
  return result.kvs.map(({ key }) => key);
}

function put(store: Store, key: string, value: string, expect: Revision | "absent" | "any" = "any", lease?: LeaseId): Promise<Commit> {
  const write = { put: key as Key, value: Buffer.from(value), expect };
  return store.commit(lease === undefined ? write : { ...write, lease });
}

function remove(store: Store, key: string, expect: Revision | "any" = "any"): Promise<Commit> {
  return store.commit({ delete: key as Key, expect });
}

/** Reads a watch in the background. */
function watchFrom(store: Store, range: KeyRange, from: number) {
  const abort = new AbortController();
  const seen: unknown[][] = [];
  let wake = () => {};
  const ended = (async () => {
    for await (const batch of store.watch(range, from as Revision, abort.signal)) {
      seen.push(...changeShown(batch));
      wake();
    }
  })();
  return {
    ended,
    rest: () => seen,
    async take(count: number): Promise<unknown[][]> {
      while (seen.length < count) await Promise.race([ended, new Promise<void>((resolve) => (wake = resolve))]);
      return seen.splice(0, count);
    },
    async stop(): Promise<void> {
      abort.abort();
      await ended;
    },
  };
}
