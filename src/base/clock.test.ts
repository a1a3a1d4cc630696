import { expect, test } from "vitest";
import { createFakeClock } from "./clock.ts";

test("createFakeClock() wakes sleepers in order of due time, seeing their own time", async () => {
  const clock = createFakeClock("2030-01-01T00:00:00Z");
  const start = clock.now();
  const { signal } = new AbortController();
  const seen: [string, number][] = [];
  const late = clock.sleep(300, signal).then(() => seen.push(["late", clock.now() - start]));
  const early = clock.sleep(100, signal).then(() => seen.push(["early", clock.now() - start]));
  await clock.advance(200);
  expect(seen).toEqual([["early", 100]]);
  await clock.advance(200);
  await Promise.all([late, early]);
  expect(seen).toEqual([
    ["early", 100],
    ["late", 300],
  ]);
});

test("createFakeClock() ends a sleep at abort", async () => {
  const clock = createFakeClock();
  const abort = new AbortController();
  const sleep = clock.sleep(1e9, abort.signal);
  abort.abort();
  await sleep;
  expect(clock.sleeping()).toBe(0);
});
