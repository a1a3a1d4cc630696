import { describe, expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { createWorkQueue } from "./work-queue.ts";

const never = new AbortController().signal;

describe("createWorkQueue()", () => {
  test("Q1: hands a key out once, and again after done when it was added meanwhile", async () => {
    const queue = createWorkQueue({ clock: createFakeClock() });
    queue.add("a");
    queue.add("a");
    expect(queue.length).toBe(1);
    expect(await queue.take(never)).toBe("a");
    queue.add("a");
    expect(queue.length).toBe(0);
    queue.done("a");
    expect(queue.length).toBe(1);
    expect(await queue.take(never)).toBe("a");
    queue.done("a");
    expect(queue.length).toBe(0);
  });

  test("Q2: a delayed key comes at the earliest of its times", async () => {
    const clock = createFakeClock();
    const queue = createWorkQueue({ clock });
    queue.addAfter("late", 300);
    queue.addAfter("soon", 500);
    queue.addAfter("soon", 100);
    const seen: string[] = [];
    const taking = (async () => {
      for (let i = 0; i < 2; i++) seen.push((await queue.take(never)) ?? "");
    })();
    await clock.advance(99);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen).toEqual(["soon"]);
    await clock.advance(200);
    await taking;
    expect(seen).toEqual(["soon", "late"]);
  });

  test("retries wait 5 ms, doubled, until forgotten", async () => {
    const clock = createFakeClock();
    const queue = createWorkQueue({ clock });
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      if (i === 3) queue.forget("a");
      queue.retryLater("a");
      const from = clock.now();
      const taking = queue.take(never);
      const arrived = taking.then(() => clock.now() - from);
      await clock.advance(50);
      waits.push(await arrived);
      queue.done("a");
    }
    expect(waits).toEqual([5, 10, 20, 5]);
  });

  test("Q3: no timer runs after the last taker left", async () => {
    const clock = createFakeClock();
    const queue = createWorkQueue({ clock });
    queue.addAfter("a", 1000);
    const abort = new AbortController();
    const taking = queue.take(abort.signal);
    expect(clock.sleeping()).toBe(1);
    abort.abort();
    expect(await taking).toBeUndefined();
    expect(clock.sleeping()).toBe(0);
  });

  test("wakes as many takers as there are keys", async () => {
    const queue = createWorkQueue({ clock: createFakeClock() });
    const takers = [queue.take(never), queue.take(never), queue.take(never)];
    for (const key of ["a", "b", "c"]) queue.add(key);
    expect(new Set(await Promise.all(takers))).toEqual(new Set(["a", "b", "c"]));
  });
});
