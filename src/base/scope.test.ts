import { expect, test } from "vitest";
import { aborted } from "./deferred.ts";
import { openScope } from "./scope.ts";

test("S1: closing awaits tasks, then disposes in reverse order", async () => {
  const seen: string[] = [];
  const scope = openScope(new AbortController().signal);
  scope.defer(() => void seen.push("first"));
  scope.defer(() => void seen.push("second"));
  scope.spawn("worker", async (signal) => {
    await aborted(signal);
    seen.push("worker");
  });
  await scope.close();
  expect(seen).toEqual(["worker", "second", "first"]);
});

test("S2: a failing task aborts the scope and names itself", async () => {
  const scope = openScope(new AbortController().signal);
  scope.spawn("bad", () => Promise.reject(new Error("boom")));
  await expect(scope.finished()).rejects.toThrow('Task "bad" failed: boom');
  expect(scope.signal.aborted).toBe(true);
  await scope.close();
});

test("S3: an error after abort is no failure", async () => {
  const outer = new AbortController();
  const scope = openScope(outer.signal);
  scope.spawn("late", async (signal) => {
    await aborted(signal);
    throw new Error("cancelled");
  });
  outer.abort();
  await scope.close();
  await expect(scope.finished()).resolves.toBeUndefined();
});
