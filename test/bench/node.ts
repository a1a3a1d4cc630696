import { spawn } from "node:child_process";
import { once } from "node:events";
import type { ClientHttp2Session } from "node:http2";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "#base/node/system-clock.ts";
import { readKubeconfig } from "#client/kubeconfig.ts";
import { type ClusterPlace, placeOf, rootsOf } from "#cmd/cluster.ts";
import { checkMachine } from "#cmd/nodes/preflight.ts";
import { nodePrograms } from "#cmd/nodes/programs.ts";
import { findSupervised } from "#cmd/supervise.ts";
import { BUDGETS } from "./budgets.ts";
import { call, openSession } from "./http.ts";
import type { Bench, Part } from "./part.ts";
import { type Usage, usageOf } from "./processes.ts";
import { quantile, spread } from "./report.ts";

const PODS = 10;
/** Until the engine has given back what the start has left. */
const SETTLE_MS = 15_000;
const IDLE_MS = 10_000;
const IMAGE = "docker.io/library/kubia:latest";

export const node: Part = {
  name: "node",
  about: "`navarch up` with a real node, a pod from creation to Ready, and what server and agent take when idle",
  limitMs: 120_000,
  async missing() {
    const [problem] = await checkMachine({ programs: nodePrograms, stateDir: "/var/tmp" }, AbortSignal.timeout(20_000));
    return problem?.message;
  },
  async run(bench) {
    const { row, progress } = bench;
    // Short, as sockets lie below it; everything of the cluster does.
    const home = await mkdtemp("/var/tmp/nvb-");
    const name = `bench-${process.pid}`;
    const place = placeOf(rootsOf({ NAVARCH_HOME: home }, true), name);
    const navarch = (...argv: string[]) => runNavarch(bench, home, argv);
    try {
      progress("navarch up, with images to pack");
      row({
        name: "navarch up, one node, first time",
        value: await navarch("up", "--name", name, "--nodes", "1", "--kubeconfig", ""),
        unit: "ms",
      });
      await navarch("down", "--name", name, "--kubeconfig", "");
      progress("navarch up, warm");
      row({
        name: "navarch up, one node, warm",
        value: await navarch("up", "--name", name, "--nodes", "1", "--kubeconfig", ""),
        unit: "ms",
        budget: BUDGETS.upWarmMs,
      });
      await idle(bench, place);
      await pods(bench, place);
    } finally {
      progress("navarch down");
      await navarch("down", "--name", name, "--kubeconfig", "");
      await rm(home, { recursive: true, force: true });
    }
  },
};

/** How long the command took. Not stopped with the bench: `down` has to come to its end. */
async function runNavarch({ navarch }: Bench, home: string, argv: readonly string[]): Promise<number> {
  const started = performance.now();
  const child = spawn(process.execPath, [navarch, ...argv], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NAVARCH_HOME: home },
  });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`Cannot run navarch ${argv.join(" ")}: exit code ${code}\n${said.join("").slice(-3000)}`);
  return performance.now() - started;
}

async function idle({ row, progress, signal }: Bench, place: ClusterPlace): Promise<void> {
  progress("idle");
  const pids: Record<string, number> = {};
  for (const [who, file] of [
    ["server", "server.pid"],
    ["agent", "agent-node-1.pid"],
  ] as const) {
    const running = await findSupervised(join(place.run, file));
    if (running?.program === undefined) throw new Error(`Cannot measure the ${who}: it does not run`);
    pids[who] = running.program;
  }
  await systemClock.sleep(SETTLE_MS, signal);
  const before = await usages(pids);
  await systemClock.sleep(IDLE_MS, signal);
  const after = await usages(pids);
  let memory = 0;
  let processor = 0;
  for (const [who, usage] of after) {
    const share = ((usage.cpuMs - (before.get(who)?.cpuMs ?? 0)) / IDLE_MS) * 100;
    memory += usage.residentMb;
    processor += share;
    row({
      name: `${who} idle, resident memory`,
      value: usage.residentMb,
      unit: "MB",
      note: `${Math.round(usage.anonymousMb)} MB of it its own`,
    });
    row({ name: `${who} idle, processor`, value: share, unit: "% of a core" });
  }
  row({ name: "server + agent idle, resident memory", value: memory, unit: "MB", budget: BUDGETS.idleMemoryMb });
  row({ name: "server + agent idle, processor", value: processor, unit: "% of a core", budget: BUDGETS.idleCpuPercent });
}

async function usages(pids: Readonly<Record<string, number>>): Promise<Map<string, Usage>> {
  return new Map(await Promise.all(Object.entries(pids).map(async ([who, pid]) => [who, await usageOf(pid)] as const)));
}

/** One after the other, as someone who waits for each would. */
async function pods({ row, progress, signal }: Bench, place: ClusterPlace): Promise<void> {
  const { server, credentials } = await readKubeconfig(place.kubeconfig);
  const { ca = "", cert = "", key = "" } = credentials;
  const session = await openSession({ url: server, ca, cert, key });
  const took: number[] = [];
  for (let n = 0; n < PODS; n++) {
    progress(`pod ${n + 1} of ${PODS}`);
    took.push(await podToReady(session, `bench-${n}`, signal));
  }
  session.destroy();
  row({
    name: "pod from creation to Ready, image present",
    value: quantile(took, 0.5),
    unit: "ms",
    ...spread(took),
    budget: BUDGETS.podReadyMs,
    note: `${PODS} pods, one at a time; first ${Math.round(took[0] ?? Number.NaN)} ms`,
  });
}

async function podToReady(session: ClientHttp2Session, name: string, signal: AbortSignal): Promise<number> {
  const path = "/api/v1/namespaces/default/pods";
  const stream = session.request({ ":method": "GET", ":path": `${path}?watch=1&fieldSelector=metadata.name%3D${name}` });
  stream.end();
  signal.addEventListener("abort", () => stream.destroy(), { once: true });
  const body = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { containers: [{ name: "kubia", image: IMAGE, imagePullPolicy: "IfNotPresent", ports: [{ containerPort: 8080 }] }] },
  };
  await once(stream, "response");
  const started = performance.now();
  await call(session, { method: "POST", path, body: JSON.stringify(body) });
  let text = "";
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (!/"type":"Ready"[^}]*"status":"True"|"status":"True"[^}]*"type":"Ready"/.test(text)) continue;
    const took = performance.now() - started;
    await call(session, { method: "DELETE", path: `${path}/${name}?gracePeriodSeconds=0` });
    return took;
  }
  throw new Error(`Cannot wait for pod ${name}: its watch ended; last: ${text.slice(-2000)}`);
}
