import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "#base/log.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { type Key, prefixRange, type Revision, type Store } from "#store/contract.ts";
import { openLmdbStore } from "#store/lmdb.ts";
import { createMemoryStore } from "#store/memory.ts";
import { createWatchHub, type HubOptions } from "#store/watch-hub.ts";

export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

export interface StoreBenchOptions {
  /** Objects in the restart and list figures. @default 100_000 */
  readonly objects?: number;
  /** Time for each rate. @default 1_500 */
  readonly rateMs?: number;
}

const VALUE_BYTES = 1_500;
const WATCHERS = 1_000;

/** Rates and times of the store layer on its own: no HTTP, no JSON. */
export async function benchStore({ objects = 100_000, rateMs = 1_500 }: StoreBenchOptions = {}): Promise<readonly BenchRow[]> {
  const path = await mkdtemp(join(tmpdir(), "navarch-bench-"));
  try {
    return [...(await benchLmdb(path, objects, rateMs)), ...(await benchHub(objects))];
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

async function benchLmdb(path: string, objects: number, rateMs: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const open = () => openLmdbStore({ path, clock: systemClock, log: silentLog });
  {
    await using store = await open();
    for (const writers of [1, 64]) {
      const busy = performance.eventLoopUtilization();
      rows.push({ name: `durable commits, ${writers} writers`, value: await commitRate(store, writers, rateMs), unit: "/s" });
      const { utilization } = performance.eventLoopUtilization(busy);
      rows.push({ name: `event loop busy, ${writers} writers`, value: utilization * 100, unit: "%" });
    }
    for (let done = 0; done < objects; done += 1_000)
      await Promise.all(Array.from({ length: 1_000 }, (_, i) => putObject(store, done + i)));
    await store.compact(await store.revision());
  }
  let started = performance.now();
  await using store = await open();
  rows.push({ name: `open, ${objects} objects`, value: performance.now() - started, unit: "ms" });
  rows.push({
    name: "bytes per stored byte",
    value: (await store.sizeBytes()) / ((await store.count(prefixRange(""))) * VALUE_BYTES),
    unit: "",
  });
  started = performance.now();
  await using hub = createWatchHub({ store, clock: systemClock, log: silentLog });
  await hub.cache("/objects/", { decode });
  rows.push({ name: `load a cache, ${objects} objects`, value: performance.now() - started, unit: "ms" });
  return rows;
}

async function benchHub(objects: number): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  await using store = createMemoryStore({ clock: systemClock });
  let started = performance.now();
  for (let i = 0; i < objects; i++) await putObject(store, i);
  rows.push({ name: "memory store commits", value: (objects / (performance.now() - started)) * 1000, unit: "/s" });

  await using hub = createWatchHub({ store, clock: systemClock, log: silentLog });
  const cache = await hub.cache("/objects/", { decode });
  const { signal } = new AbortController();
  const { revision } = cache.list("/objects/");
  const namespace = cache.list("/objects/ns-7/").entries.length;
  started = performance.now();
  for (let i = 0; i < 100; i++) cache.list("/objects/ns-7/");
  rows.push({ name: `list a namespace, ${namespace} of ${objects}`, value: (performance.now() - started) * 10, unit: "us" });

  const events = 500;
  const watching = Array.from({ length: WATCHERS }, async () => {
    let seen = 0;
    for await (const message of cache.watch("/objects/", revision, new AbortController().signal)) {
      if (message.type === "event" && ++seen === events) return;
    }
  });
  started = performance.now();
  for (let i = 0; i < events; i++) await putObject(store, i);
  await Promise.all(watching);
  rows.push({ name: `events to ${WATCHERS} watchers`, value: ((events * WATCHERS) / (performance.now() - started)) * 1000, unit: "/s" });
  await cache.waitFor((revision + events) as Revision, signal);
  return rows;
}

const decode: HubOptions["decode"] = (_key, bytes) => ({ bytes, labels: {}, fields: {} });

async function commitRate(store: Store, writers: number, ms: number): Promise<number> {
  const started = performance.now();
  let commits = 0;
  await Promise.all(
    Array.from({ length: writers }, async (_, writer) => {
      while (performance.now() - started < ms) {
        await store.commit({ put: `/rate/${writer}` as Key, value: valueOf(commits), expect: "any" });
        commits++;
      }
    }),
  );
  return (commits / (performance.now() - started)) * 1000;
}

function putObject(store: Store, i: number) {
  return store.commit({ put: `/objects/ns-${i % 50}/object-${i}` as Key, value: valueOf(i), expect: "any" });
}

/** Not compressible, and made without costing much. */
function valueOf(i: number): Buffer {
  const value = Buffer.allocUnsafe(VALUE_BYTES);
  NOISE.copy(value, 0, (i * 31) % (NOISE.length - VALUE_BYTES));
  return value;
}

const NOISE = Buffer.from(Array.from({ length: 16_384 }, (_, i) => 32 + ((i * 7919 + (i >> 3) * 104_729) % 91)));
