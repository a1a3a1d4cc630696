import { expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { CriRuntime } from "#cri/contract.ts";
import { CriError } from "#cri/error.ts";
import { createSimulatedHost } from "./host/simulated-host.ts";
import { runLogRotation } from "./log-rotation.ts";
import type { PodRuntime } from "./pod-runtime.ts";
import { logTail } from "./termination-message.ts";

function world(files: Map<string, number>, reopen: () => Promise<void>) {
  const clock = createFakeClock("2030-01-01T00:00:00Z");
  const container = { id: "c", name: "main", state: "running", logPath: "/logs/main/0.log" };
  const runtime = { uid: "u", name: "web", namespace: "default", sandboxes: [], containers: [container] } as unknown as PodRuntime;
  const host = {
    ...createSimulatedHost(),
    fileSize: async (path: string) => files.get(path),
    list: async (directory: string) =>
      [...files.keys()].filter((path) => path.startsWith(`${directory}/`)).map((path) => path.slice(directory.length + 1)),
    rename: async (from: string, to: string) => {
      files.set(to, files.get(from) ?? 0);
      files.delete(from);
    },
    removeTree: async (path: string) => void files.delete(path),
  };
  const cri = { reopenContainerLog: reopen } as unknown as CriRuntime;
  const abort = new AbortController();
  const lister = { all: () => [runtime], get: () => runtime, relist: async () => [], relistPod: async () => runtime };
  const done = runLogRotation({ cri, host, lister, clock, log: silentLog }, { maxBytes: 100, maxFiles: 3 }, abort.signal);
  return { clock, stop: async () => (abort.abort(), await done) };
}

test("runLogRotation() keeps the newest files, and no more than asked for", async () => {
  const files = new Map([["/logs/main/0.log", 50]]);
  const { clock, stop } = world(files, async () => void files.set("/logs/main/0.log", 0));
  await clock.advance(10_000);
  expect([...files.keys()]).toEqual(["/logs/main/0.log"]);
  for (let round = 0; round < 4; round++) {
    files.set("/logs/main/0.log", 101 + round);
    await clock.advance(10_000);
  }
  expect([...files].toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual([
    ["/logs/main/0.log", 0],
    ["/logs/main/0.log.20300101-000040", 103],
    ["/logs/main/0.log.20300101-000050", 104],
  ]);
  await stop();
});

test("runLogRotation() puts the file back when the runtime does not open a new one", async () => {
  const files = new Map([["/logs/main/0.log", 500]]);
  const { clock, stop } = world(files, () => Promise.reject(new CriError({ code: "Unknown", call: "ReopenContainerLog", details: "no" })));
  await clock.advance(10_000);
  expect([...files]).toEqual([["/logs/main/0.log", 500]]);
  await stop();
});

test("logTail() gives the words of a CRI log", () => {
  const at = "2030-01-01T00:00:00.000000000Z";
  expect(logTail(`cut off line\n${at} stdout F one\n${at} stderr P two, \n${at} stderr F three\n${at} stdout F \n`)).toBe(
    "one\ntwo, three\n\n",
  );
});
