import { expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Key, Revision } from "./contract.ts";
import { createMemoryStore } from "./memory.ts";
import { runCompaction } from "./run-compaction.ts";

test("runCompaction() keeps the history of at least one interval, and survives a failure", async () => {
  const clock = createFakeClock();
  await using memory = createMemoryStore({ clock });
  let failing = false;
  const store = { ...memory, compact: (revision: Revision) => (failing ? Promise.reject(new Error("no")) : memory.compact(revision)) };
  const abort = new AbortController();
  const running = runCompaction({ store, clock, log: silentLog }, abort.signal, { everyMs: 1000 });
  const compacted: number[] = [];
  for (let i = 0; i < 6; i++) {
    await memory.commit({ put: "/a" as Key, value: Buffer.from(String(i)), expect: "any" });
    failing = i === 3;
    await clock.advance(1000);
    compacted.push(await memory.compactRevision());
  }
  expect(compacted).toEqual([0, 1, 2, 2, 3, 5]);
  abort.abort();
  await running;
});
