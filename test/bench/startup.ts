import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { silentLog } from "#base/log.ts";
import { systemClock } from "#base/node/system-clock.ts";
import type { Key } from "#store/contract.ts";
import { openLmdbStore } from "#store/lmdb.ts";
import { BUDGETS } from "./budgets.ts";
import { call, openSession } from "./http.ts";
import { benchPod } from "./objects.ts";
import { type Bench, type Part, nothingMissing } from "./part.ts";
import { runJob, usageOf } from "./processes.ts";
import type { StartClusterJob, StartClusterResult } from "./programs/start-cluster.ts";
import { quantile } from "./report.ts";
import { startServer } from "./server-process.ts";

/** Until the engine has given back what the start has left. */
const SETTLE_MS = 15_000;
const IDLE_MS = 10_000;
const STARTS = 3;

export const startup: Part = {
  name: "startup",
  about: "control plane to its first answer; memory and processor it takes when nothing happens",
  limitMs: 90_000,
  missing: nothingMissing,
  async run(bench) {
    const { row, progress, program, navarch, directory, signal } = bench;
    progress("in process");
    const job: StartClusterJob = { entry: join(navarch, "../index.js"), times: 4 };
    const { importMs, startMs } = await runJob<StartClusterResult>(program("start-cluster"), job, signal);
    const [first = Number.NaN, ...later] = startMs;
    row({ name: "import of the package", value: importMs, unit: "ms" });
    row({ name: "startCluster(), first", value: first, unit: "ms", budget: BUDGETS.startClusterMs });
    row({ name: "startCluster(), later", value: quantile(later, 0.5), unit: "ms", budget: BUDGETS.startClusterMs });

    progress("a new data directory");
    const fresh: number[] = [];
    for (let n = 0; n < STARTS; n++) {
      await using server = await startServer(bench, { store: "lmdb" });
      fresh.push(server.firstAnswerMs);
    }
    row({ name: "server, new directory, to first GET", value: quantile(fresh, 0.5), unit: "ms", note: medianOf(fresh) });

    const dataDir = await mkdtemp(join(directory, "warm-"));
    await idle(bench, dataDir);
    for (const [objects, budget, starts] of [
      [10_000, BUDGETS.serverWarmMs, STARTS],
      [100_000, BUDGETS.restart100kMs, 1],
    ] as const) {
      const size = objects.toLocaleString("en-US");
      progress(`${size} pods to start with`);
      await fill(dataDir, objects);
      const warm: number[] = [];
      for (let n = 0; n < starts; n++) {
        await using server = await startServer(bench, { store: "lmdb", dataDir, firstGet: "/api/v1/namespaces/default/pods/pod-1" });
        warm.push(server.firstAnswerMs);
      }
      row({ name: `server, ${size} pods, to first GET of a pod`, value: quantile(warm, 0.5), unit: "ms", budget, note: medianOf(warm) });
    }
    await rm(dataDir, { recursive: true, force: true });
  },
};

/** Also leaves a pod in the directory, as pattern for many. */
async function idle(bench: Bench, dataDir: string): Promise<void> {
  const { row, progress, signal } = bench;
  await using server = await startServer(bench, { store: "lmdb", dataDir });
  const session = await openSession(server.access);
  progress("idle");
  await pause(SETTLE_MS, signal);
  const before = await usageOf(server.pid);
  await pause(IDLE_MS, signal);
  const after = await usageOf(server.pid);
  row({
    name: "server idle, resident memory",
    value: after.residentMb,
    unit: "MB",
    note: `${Math.round(after.anonymousMb)} MB of it its own, the rest mapped files`,
  });
  row({
    name: "server idle, processor",
    value: ((after.cpuMs - before.cpuMs) / IDLE_MS) * 100,
    unit: "% of a core",
    budget: BUDGETS.idleCpuPercent,
  });
  const body = JSON.stringify(benchPod("pattern", { schedulerName: "nobody" }));
  await call(session, { method: "POST", path: "/api/v1/namespaces/default/pods", body });
  session.destroy();
}

/** Copies of the pattern, straight into the store: what is measured is the restart. */
async function fill(dataDir: string, pods: number): Promise<void> {
  await using store = await openLmdbStore({ path: join(dataDir, "store"), clock: systemClock, log: silentLog });
  const prefix = "/registry/pods/default/";
  const pattern = await store.get(`${prefix}pattern` as Key);
  if (pattern === undefined) throw new Error("Cannot fill the store: the pattern is missing, wanted a pod");
  const text = Buffer.from(pattern.value).toString();
  const uid = /"uid":"([^"]+)"/.exec(text)?.[1] ?? "";
  for (let done = 0; done < pods; done += 1000)
    await Promise.all(
      Array.from({ length: 1000 }, (_, n) => {
        const i = done + n;
        const own = `${uid.slice(0, -8)}${String(i).padStart(8, "0")}`;
        const value = Buffer.from(text.replace('"name":"pattern"', `"name":"pod-${i}"`).replace(uid, own));
        return store.commit({ put: `${prefix}pod-${i}` as Key, value, expect: "any" });
      }),
    );
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return systemClock.sleep(ms, signal);
}

function medianOf(values: readonly number[]): string {
  return values.length > 1 ? `median of ${values.length}` : "";
}
