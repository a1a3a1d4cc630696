import { describe, expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { pod } from "#testing/builders.ts";
import { podFacts } from "./pod-facts.ts";
import { createSchedulingQueue } from "./queue.ts";

const never = new AbortController().signal;
const facts = (name: string, priority = 0) => podFacts(pod(name, { spec: { priority } }));

function setup() {
  const clock = createFakeClock();
  const queue = createSchedulingQueue(
    { clock },
    { retryOn: (plugin) => (plugin === "Fit" ? ["node added", "pod removed"] : ["node updated"]) },
  );
  /** What is taken within `ms`, or undefined. */
  const take = async (ms = 0) => {
    const abort = new AbortController();
    const taking = queue.take(abort.signal);
    await clock.advance(ms);
    abort.abort();
    return (await taking)?.pod.key;
  };
  return { clock, queue, take };
}

describe("createSchedulingQueue()", () => {
  test("Q1: highest priority first, then first come", async () => {
    const { queue } = setup();
    for (const each of [facts("a"), facts("b"), facts("high", 5), facts("c")]) queue.add(each);
    const order = [];
    for (let i = 0; i < 4; i++) order.push((await queue.take(never))?.pod.key);
    expect(order).toEqual(["default/high", "default/a", "default/b", "default/c"]);
  });

  test("Q2: a failed pod waits for a change that concerns it, and for its back-off", async () => {
    const { queue, take } = setup();
    queue.add(facts("a"));
    expect(await take()).toBe("default/a");
    queue.failed("pod-a", new Set(["Fit"]));
    queue.changed("node updated"); // concerns another plugin
    expect(await take(20_000)).toBeUndefined();
    queue.changed("node added");
    expect(await take()).toBe("default/a"); // the back-off of 1 s is over
    queue.failed("pod-a", new Set(["Fit"]));
    queue.changed("pod removed");
    expect(await take(1999)).toBeUndefined();
    expect(await take(1)).toBe("default/a");
  });

  test("Q2: nobody waits longer than 5 minutes", async () => {
    const { queue, take } = setup();
    queue.add(facts("a"));
    await take();
    queue.failed("pod-a", new Set(["Other"]));
    expect(await take(299_999)).toBeUndefined();
    expect(await take(1)).toBe("default/a");
  });

  test("Q3: a change during the cycle counts", async () => {
    const { queue, take } = setup();
    queue.add(facts("a"));
    await take();
    queue.changed("node added");
    queue.failed("pod-a", new Set(["Fit"]));
    expect(await take(1000)).toBe("default/a");
  });

  test("a removed pod is not handed out, and its late failure changes nothing", async () => {
    const { queue, take } = setup();
    queue.add(facts("a"));
    queue.add(facts("b"));
    queue.remove("pod-a");
    expect(await take()).toBe("default/b");
    queue.remove("pod-b");
    queue.failed("pod-b", new Set(["Fit"]));
    expect(queue.length).toBe(0);
    expect(await take(600_000)).toBeUndefined();
  });

  test("a changed pod is tried again without any change in the cluster", async () => {
    const { queue, take } = setup();
    queue.add(facts("a"));
    await take();
    queue.failed("pod-a", new Set(["Other"]));
    queue.add(facts("a", 7));
    expect(await take(1000)).toBe("default/a");
  });
});
