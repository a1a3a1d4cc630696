import { systemClock } from "#base/node/system-clock.ts";
import { silentLog } from "#base/log.ts";
import type { Revision } from "#store/contract.ts";
import { openLmdbStore } from "#store/lmdb.ts";
import { writeOf, WRITERS } from "./store-crash-writes.ts";

/*
 * Writes to the store in argv[2], round argv[3], until it is killed. Prints `<writer> <n> <revision>` for every acknowledged write.
 */
const [path = "", round = "0"] = process.argv.slice(2);
const store = await openLmdbStore({ path, clock: systemClock, log: silentLog }, { cacheBytes: 100_000 });
const { signal } = new AbortController();

async function write(writer: number): Promise<never> {
  for (let n = 0; ; n++) {
    const commit = await store.commit(writeOf(Number(round), writer, n));
    if (!commit.ok) throw new Error(`write ${writer}/${n} was refused: ${commit.because}`);
    process.stdout.write(`${writer} ${n} ${commit.revision}\n`);
  }
}

async function compact(): Promise<never> {
  for (;;) {
    await systemClock.sleep(40, signal);
    const revision = await store.revision();
    if (revision > 300) await store.compact((revision - 300) as Revision);
  }
}

await Promise.all([compact(), ...Array.from({ length: WRITERS }, (_, writer) => write(writer))]);
