import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { linkSignals } from "./linked-signal.ts";

test("linkSignals() aborts with its first source, for the same reason", () => {
  const [a, b] = [new AbortController(), new AbortController()];
  using link = linkSignals(a.signal, b.signal);
  b.abort(new Error("enough"));
  expect(link.signal.reason).toEqual(new Error("enough"));
  expect(getEventListeners(a.signal, "abort")).toHaveLength(0);
  expect(linkSignals(a.signal, b.signal).signal.aborted).toBe(true);
});

test("linkSignals() leaves nothing behind once disposed", () => {
  const source = new AbortController();
  const link = linkSignals(source.signal);
  link[Symbol.dispose]();
  source.abort();
  expect(link.signal.aborted).toBe(false);
  expect(getEventListeners(source.signal, "abort")).toHaveLength(0);
});
