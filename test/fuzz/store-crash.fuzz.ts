import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { seededEntropy } from "#base/entropy.ts";
import { silentLog } from "#base/log.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { type Key, prefixRange, type Revision, type Store } from "#store/contract.ts";
import { openLmdbStore } from "#store/lmdb.ts";
import { stateAfter, WRITERS, writeOf } from "./store-crash-writes.ts";

const seed = Number(process.env["FUZZ_SEED"] ?? Date.now() % 2 ** 31);
const rounds = Number(process.env["FUZZ_ROUNDS"] ?? 8);

let path = "";
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "navarch-store-crash-"));
});
afterEach(() => rm(path, { recursive: true, force: true }));

test(`kill -9 under load loses no acknowledged write and leaves a consistent file (FUZZ_SEED=${seed})`, async () => {
  const { fraction } = seededEntropy(seed);
  /** By round and writer: how many writes are known to be acknowledged, and with which revisions. */
  const acknowledged: number[][][] = [];
  for (let round = 0; round < rounds; round++) {
    acknowledged.push(await writeUntilKilled(round, 50 + fraction() * 500));
    await verify(acknowledged);
  }
  const total = acknowledged.flat().reduce((sum, revisions) => sum + revisions.length, 0);
  expect(total).toBeGreaterThan(rounds * WRITERS);
});

/** Starts the writer, kills it `ms` after its first acknowledgement, and answers the revisions it told, by writer. */
async function writeUntilKilled(round: number, ms: number): Promise<number[][]> {
  const program = join(import.meta.dirname, "store-crash-writer.ts");
  const child = spawn(process.execPath, ["--import", "tsx", program, path, String(round)], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const revisions: number[][] = Array.from({ length: WRITERS }, () => []);
  let timer: NodeJS.Timeout | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    timer ??= setTimeout(() => child.kill("SIGKILL"), ms);
    const told = /^(\d+) (\d+) (\d+)$/.exec(line);
    if (told === null) continue; // cut off by the kill
    const mine = revisions[Number(told[1])];
    expect(mine?.length).toBe(Number(told[2]));
    mine?.push(Number(told[3]));
  }
  clearTimeout(timer);
  const [, signal] = await exited;
  expect(signal).toBe("SIGKILL");
  return revisions;
}

async function verify(acknowledged: readonly (readonly number[][])[]): Promise<void> {
  await using store = await openLmdbStore({ path, clock: systemClock, log: silentLog });
  const stored = new Map<string, Map<string, string>>();
  for (const { key, value } of (await store.range(prefixRange("/"))).kvs) {
    const writer = key.slice(0, key.lastIndexOf("/"));
    stored.set(writer, (stored.get(writer) ?? new Map<string, string>()).set(key, Buffer.from(value).toString()));
  }

  for (const [round, writers] of acknowledged.entries()) {
    for (const [writer, revisions] of writers.entries()) {
      const found = stored.get(`/r${round}/w${writer}`) ?? new Map();
      // One write may have become durable without its writer having been able to say so.
      const oneMore = stateAfter(round, writer, revisions.length + 1);
      expect(found).toEqual(sameEntries(found, oneMore) ? oneMore : stateAfter(round, writer, revisions.length));
    }
  }

  // History since the last compaction is complete, and says what was acknowledged.
  const [revision, compactRevision] = [await store.revision(), await store.compactRevision()];
  const told = new Map<number, { key: Key; value: string | undefined }>();
  for (const [round, writers] of acknowledged.entries()) {
    for (const [writer, revisions] of writers.entries()) {
      for (const [n, at] of revisions.entries()) {
        expect(at).toBeLessThanOrEqual(revision);
        if (at <= compactRevision) continue;
        const write = writeOf(round, writer, n);
        told.set(
          at,
          "put" in write ? { key: write.put, value: Buffer.from(write.value).toString() } : { key: write.delete, value: undefined },
        );
      }
    }
  }
  const history = await readHistory(store, compactRevision, revision);
  expect(history.map(({ at }) => at)).toEqual(Array.from({ length: revision - compactRevision }, (_, i) => compactRevision + 1 + i));
  for (const { at, key, value } of history) expect({ at, key, value }).toEqual({ at, key, value, ...told.get(at) });
}

/** Every change after `after`, up to `last`. */
async function readHistory(store: Store, after: number, last: number): Promise<{ at: number; key: Key; value: string | undefined }[]> {
  const history: { at: number; key: Key; value: string | undefined }[] = [];
  if (after === last) return history;
  const abort = new AbortController();
  for await (const { changes, revision } of store.watch(prefixRange(""), (after + 1) as Revision, abort.signal)) {
    for (const change of changes) {
      history.push(
        change.type === "put"
          ? { at: change.kv.modRevision, key: change.kv.key, value: Buffer.from(change.kv.value).toString() }
          : { at: change.revision, key: change.key, value: undefined },
      );
    }
    if (revision >= last) abort.abort();
  }
  return history;
}

function sameEntries(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
