import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createFakeClock, type FakeClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Change, Commit, Key, KeyRange, KeyValue, LeaseId, Revision, Store, Write } from "#store/contract.ts";
import { openLmdbStore } from "#store/lmdb.ts";
import { createMemoryStore } from "#store/memory.ts";
import { type Answer, emptyModel, type ModelChange, type ModelKv, type Op, step } from "#store/model.ts";

const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env["FUZZ_RUNS"] ?? 150);

/** One operation, or several writes that are asked for together: they are decided in the order asked. */
type Step = Op | readonly Extract<Op, { do: "put" | "delete" }>[];

interface Opened {
  readonly store: Store;
  reopen(): Promise<Opened>;
  close(): Promise<void>;
}

const keys = fc.constantFrom("/a", "/a/", "/a/b", "/a/c", "/b", "/é", "/\ue000", "/\u{1f600}");
const bounds = fc.constantFrom("", "/", "/a", "/a/", "/a/b", "/a0", "/b", "/\ue000", "/\u{1f600}", "0");
const revisions = fc.nat(40);
const leases = fc.nat(4);
const expectation = fc.oneof(
  { weight: 4, arbitrary: fc.constant("any" as const) },
  { weight: 1, arbitrary: fc.constant("absent" as const) },
  { weight: 2, arbitrary: revisions },
);
const put = fc.record(
  { do: fc.constant("put" as const), key: keys, value: fc.string({ maxLength: 20 }), expect: expectation, lease: leases },
  { requiredKeys: ["do", "key", "value", "expect"] },
);
const del = fc.record({
  do: fc.constant("delete" as const),
  key: keys,
  expect: fc.oneof({ weight: 3, arbitrary: fc.constant("any" as const) }, { weight: 1, arbitrary: revisions }),
});
const span = { from: bounds, to: fc.oneof(bounds, fc.constant(undefined)) };
const steps = (durable: boolean): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 12, arbitrary: put },
      { weight: 5, arbitrary: del },
      {
        weight: 4,
        arbitrary: fc.array(fc.oneof({ weight: 2, arbitrary: put }, { weight: 1, arbitrary: del }), { minLength: 2, maxLength: 8 }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant("get" as const), key: keys, revision: revisions }, { requiredKeys: ["do", "key"] }),
      },
      {
        weight: 4,
        arbitrary: fc.record(
          { do: fc.constant("range" as const), ...span, revision: revisions, limit: fc.nat(4) },
          { requiredKeys: ["do", "from", "to"] },
        ),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("count" as const), ...span }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant("watch" as const), ...span, revision: revisions.map((n) => n + 1) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("compact" as const), revision: revisions }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("grant" as const), ttlSeconds: fc.integer({ min: 1, max: 9 }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("keepAlive" as const), lease: leases }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("revoke" as const), lease: leases }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.integer({ min: 1, max: 6000 }) }) },
      { weight: durable ? 1 : 0, arbitrary: fc.record({ do: fc.constant("reopen" as const) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("state" as const) }) },
    ),
    { maxLength: 60, size: "max" },
  );

describe(`stores answer as the model does (FUZZ_SEED=${seed})`, () => {
  test("createMemoryStore()", () => compare(false, async (clock) => openMemory(clock)));
  test("openLmdbStore()", () => compare(true, openLmdb));
});

async function compare(durable: boolean, open: (clock: FakeClock) => Promise<Opened>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(steps(durable), async (list) => {
      const clock = createFakeClock();
      const granted: LeaseId[] = [];
      let opened = await open(clock);
      let model = emptyModel;
      // One watch lives through everything, compactions included, and must have seen every change in the end.
      let { seen, stop } = follow(opened.store, 1, granted);
      const followed: ModelChange[] = [];
      try {
        for (const next of list) {
          const ops: readonly Op[] = "do" in next ? [next] : next;
          const expected: Answer[] = [];
          for (const op of ops) {
            const [after, answer] = step(model, op);
            model = after;
            expected.push(answer);
          }
          if (ops[0]?.do === "reopen") {
            const changes = model.changes.length;
            await waitUntil(() => followed.length + seen.length === changes);
            followed.push(...(await stop()));
            opened = await opened.reopen();
            ({ seen, stop } = follow(opened.store, changes + 1, granted));
            continue;
          }
          const answers = await Promise.all(ops.map((op) => perform(opened.store, op, clock, granted)));
          expect({ next, answers }).toEqual({ next, answers: expected });
          if (ops[0]?.do === "advance") await waitForRevision(opened.store, model.changes.length);
        }
        await waitUntil(() => followed.length + seen.length === model.changes.length);
        followed.push(...(await stop()));
        expect(followed).toEqual(model.changes);
      } finally {
        await stop();
        await opened.close();
      }
    }),
    { seed, numRuns, endOnFailure: false, interruptAfterTimeLimit: 90_000 },
  );
}

async function perform(store: Store, op: Op, clock: FakeClock, granted: LeaseId[]): Promise<Answer> {
  const lease = (n: number) => granted[n] ?? ("unknown" as LeaseId);
  const kvOf = (kv: KeyValue) => shownKv(kv, granted);
  const maybe = (kv: KeyValue | undefined) => (kv === undefined ? undefined : kvOf(kv));
  try {
    switch (op.do) {
      case "put":
      case "delete": {
        const commit: Commit = await store.commit(writeOf(op, lease));
        return commit.ok
          ? { ok: true, revision: commit.revision, previous: maybe(commit.previous) }
          : { ok: false, because: commit.because, current: maybe(commit.current) };
      }
      case "get":
        return { kv: maybe(await store.get(op.key as Key, at(op.revision))) };
      case "range": {
        const options = { ...at(op.revision), ...(op.limit === undefined ? {} : { limit: op.limit }) };
        const { kvs, remaining, revision } = await store.range(rangeOf(op), options);
        return { kvs: kvs.map(kvOf), remaining, revision };
      }
      case "count":
        return { count: await store.count(rangeOf(op)) };
      case "watch":
        return { changes: await collect(store, rangeOf(op), op.revision, granted) };
      case "compact":
        await store.compact(op.revision as Revision);
        return { done: true };
      case "grant":
        granted.push(await store.grantLease(op.ttlSeconds));
        return { done: true };
      case "keepAlive":
        return { alive: await store.keepLeaseAlive(lease(op.lease)) };
      case "revoke":
        await store.revokeLease(lease(op.lease));
        return { done: true };
      case "advance":
        await clock.advance(op.ms);
        return { done: true };
      case "reopen":
        throw new Error("the caller reopens");
      case "state":
        return { revision: await store.revision(), compactRevision: await store.compactRevision() };
    }
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : "";
    if (name === "CompactedError" || name === "FutureRevisionError" || name === "LeaseNotFoundError") return { error: name };
    throw cause;
  }
}

function writeOf(op: Extract<Op, { do: "put" | "delete" }>, lease: (n: number) => LeaseId): Write {
  if (op.do === "delete") return { delete: op.key as Key, expect: op.expect as Revision | "any" };
  const write = { put: op.key as Key, value: Buffer.from(op.value), expect: op.expect as Revision | "any" | "absent" };
  return op.lease === undefined ? write : { ...write, lease: lease(op.lease) };
}

/** The changes from `from` up to what the store has now. */
async function collect(store: Store, range: KeyRange, from: number, granted: readonly LeaseId[]): Promise<ModelChange[]> {
  const abort = new AbortController();
  const watch = store.watch(range, from as Revision, abort.signal)[Symbol.asyncIterator]();
  const changes: ModelChange[] = [];
  try {
    for (;;) {
      // A watch that has nothing more to tell waits: what is there already comes without any I/O.
      const idle = new Promise<"idle">((resolve) => setImmediate(() => resolve("idle")));
      const next = await Promise.race([watch.next(), idle]);
      if (next === "idle" || next.done === true) return changes;
      changes.push(...next.value.changes.map((change) => shownChange(change, granted)));
    }
  } finally {
    abort.abort();
  }
}

function follow(store: Store, from: number, granted: readonly LeaseId[]) {
  const abort = new AbortController();
  const seen: ModelChange[] = [];
  const reading = (async () => {
    for await (const { changes } of store.watch({ from: "" as Key, to: undefined }, from as Revision, abort.signal)) {
      seen.push(...changes.map((change) => shownChange(change, granted)));
    }
  })();
  const stop = async () => {
    abort.abort();
    await reading;
    return seen;
  };
  return { seen, stop };
}

async function waitForRevision(store: Store, revision: number): Promise<void> {
  const until = performance.now() + 5_000;
  while ((await store.revision()) < revision && performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
  expect(await store.revision()).toBe(revision);
}

async function waitUntil(condition: () => boolean): Promise<void> {
  const until = performance.now() + 5_000;
  while (!condition() && performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
}

function shownKv({ key, value, createRevision, modRevision, lease }: KeyValue, granted: readonly LeaseId[]): ModelKv {
  return [key, Buffer.from(value).toString(), createRevision, modRevision, lease === undefined ? undefined : granted.indexOf(lease)];
}

function shownChange(change: Change, granted: readonly LeaseId[]): ModelChange {
  if (change.type === "delete") return ["delete", change.key, change.revision, shownKv(change.previous, granted)];
  return ["put", shownKv(change.kv, granted), change.previous === undefined ? undefined : shownKv(change.previous, granted)];
}

function rangeOf({ from, to }: { readonly from: string; readonly to: string | undefined }): KeyRange {
  return { from: from as Key, to: to as Key | undefined };
}

function at(revision: number | undefined): { readonly revision?: Revision } {
  return revision === undefined ? {} : { revision: revision as Revision };
}

function openMemory(clock: FakeClock): Opened {
  const store = createMemoryStore({ clock });
  return {
    store,
    reopen: () => Promise.reject(new Error("memory does not outlive a restart")),
    close: async () => store[Symbol.asyncDispose](),
  };
}

async function openLmdb(clock: FakeClock): Promise<Opened> {
  const path = await mkdtemp(join(tmpdir(), "navarch-store-fuzz-"));
  return openAt();

  async function openAt(): Promise<Opened> {
    const store = await openLmdbStore({ path, clock, log: silentLog }, { cacheBytes: 50 });
    return {
      store,
      async reopen() {
        await store[Symbol.asyncDispose]();
        return openAt();
      },
      async close() {
        await store[Symbol.asyncDispose]();
        await rm(path, { recursive: true, force: true });
      },
    };
  }
}
