import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Access, call, openSession, type Request } from "./http.ts";
import { benchPod } from "./objects.ts";
import { type Bench, type Part, nothingMissing } from "./part.ts";
import { peerPrograms, startPeer } from "./peer.ts";
import { runJob, startJob, stopProcess, usageOf } from "./processes.ts";
import type { ApiServerJob } from "./programs/api-server.ts";
import type { RequestsLoad, RequestsResult, WatchLoad, WatchResult } from "./programs/load.ts";
import type { Row } from "./report.ts";

const PODS = 10_000;
const NAMESPACES = 10;
const WATCHERS = 1000;
const TABLE = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" };

/** An API server under load, ours or the peer's: the same requests for both. */
interface Target extends AsyncDisposable {
  readonly access: Access;
  /** Its processes: what they take is what a request costs. */
  readonly pids: readonly number[];
}

type Figure = Omit<Row, "part">;

export const api: Part = {
  name: "api",
  about: `requests a second on ${PODS} pods, and ${WATCHERS} watchers; against kube-apiserver and etcd where they are named`,
  limitMs: 180_000,
  missing: nothingMissing,
  async run(bench) {
    const programs = peerPrograms(process.env);
    if (programs === undefined) bench.progress("no peer to compare with: KUBE_APISERVER and ETCD are not set");
    const ours = await measured(bench, "navarch", () => startOurs(bench));
    let theirs: readonly Figure[] = [];
    try {
      if (programs !== undefined) theirs = await measured(bench, "kube-apiserver", () => startPeer(bench, programs));
    } finally {
      for (const figure of ours) compare(bench, figure, theirs);
    }
  },
};

/** Ours, and beside it the peer's and how many times better ours is. */
function compare({ row }: Bench, figure: Figure, theirs: readonly Figure[]): void {
  const peer = theirs.find(({ name }) => name === figure.name);
  if (peer === undefined) return row(figure);
  const isTime = figure.unit === "ms";
  row({ ...figure, budget: isTime ? { atMost: peer.value } : { atLeast: peer.value } });
  row({ ...peer, name: "  kube-apiserver + etcd" });
  row({ name: "  times better", value: isTime ? peer.value / figure.value : figure.value / peer.value, unit: "" });
}

async function measured(bench: Bench, who: string, start: () => Promise<Target>): Promise<Figure[]> {
  bench.progress(`${who}: start`);
  await using target = await start();
  await prepare(target.access);
  const figures: Figure[] = [];
  for (const operation of operations()) {
    bench.progress(`${who}: ${operation.name}`);
    figures.push(await requestsOf(bench, target, operation));
  }
  bench.progress(`${who}: ${WATCHERS} watchers`);
  figures.push(...(await watchersOf(bench, target)));
  return figures;
}

async function startOurs({ directory, program, signal }: Bench): Promise<Target> {
  const storePath = await mkdtemp(join(directory, "api-"));
  const job: ApiServerJob = { storePath };
  const { child, result } = await startJob<Access>(program("api-server"), job, signal);
  return {
    access: result,
    pids: [child.pid ?? 0],
    async [Symbol.asyncDispose]() {
      await stopProcess(child, 0);
      await rm(storePath, { recursive: true, force: true });
    },
  };
}

interface Operation extends Pick<RequestsLoad, "request" | "ms" | "count" | "inOrder" | "pages"> {
  readonly name: string;
  /** @default 4 connections of 8 requests at a time */
  readonly connections?: number;
  readonly streams?: number;
}

function operations(): readonly Operation[] {
  const pod = "/api/v1/namespaces/bench-{ns}/pods/pod-{k}";
  const change = (value: string) => ({ annotations: { "example.com/change": value } });
  const alone = { connections: 1, streams: 1 };
  const few = { connections: 2, streams: 1 };
  const patch = (type: string, query: string, body: unknown): Request => ({
    method: "PATCH",
    path: `${pod}${query}`,
    headers: { "content-type": `application/${type}` },
    body: JSON.stringify(body),
  });
  const create: Request = {
    method: "POST",
    path: "/api/v1/namespaces/bench-{ns}/pods",
    body: JSON.stringify(benchPod("pod-{k}", { schedulerName: "nobody" }, { group: "group-{ns}" })),
  };
  const configMap: Request = {
    method: "POST",
    path: "/api/v1/namespaces/bench-{ns}/configmaps",
    body: JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "bench-{k}" }, data: { key: "x".repeat(1000) } }),
  };
  const list = (query: string, headers?: Request["headers"]): Request => ({
    method: "GET",
    path: `/api/v1/pods${query}`,
    ...(headers === undefined ? {} : { headers }),
  });
  const whole = `list ${PODS.toLocaleString("en-US")} pods`;
  return [
    { name: "create pod", request: create, ms: 15_000, count: PODS, inOrder: true },
    { name: "create ConfigMap, one at a time", request: configMap, ms: 1500, inOrder: true, ...alone },
    { name: "get pod", request: { method: "GET", path: pod }, ms: 2500 },
    { name: "get pod, one at a time", request: { method: "GET", path: pod }, ms: 1500, ...alone },
    { name: whole, request: list(""), ms: 3000, ...few },
    { name: `${whole}, gzip`, request: list("", { "accept-encoding": "gzip" }), ms: 3000, ...few },
    { name: `${whole}, in pages of 500`, request: list("?limit=500"), ms: 3000, pages: true, ...few },
    { name: `${whole}, as Table`, request: list("", TABLE), ms: 3000, ...few },
    { name: "list 500 of them, as Table", request: list("?limit=500", TABLE), ms: 2000, ...few },
    { name: "list a namespace of 1,000", request: { method: "GET", path: "/api/v1/namespaces/bench-{ns}/pods" }, ms: 2000, ...few },
    { name: "list 1,000 of them by label", request: list("?labelSelector=group%3Dgroup-{ns}"), ms: 2000, ...few },
    { name: "update pod", request: { method: "PUT", path: pod, body: "" }, ms: 2500 },
    { name: "patch pod (merge)", request: patch("merge-patch+json", "", { metadata: change("{i}") }), ms: 2500 },
    {
      name: "apply pod (server side)",
      request: patch("apply-patch+yaml", "?fieldManager=bench&force=true", {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "pod-{k}", namespace: "bench-{ns}", ...change("{i}") },
      }),
      ms: 2500,
    },
  ];
}

async function requestsOf(bench: Bench, target: Target, operation: Operation): Promise<Figure> {
  const { name, connections = 4, streams = 8, request, ...more } = operation;
  const load: RequestsLoad = {
    do: "requests",
    access: target.access,
    connections,
    streams,
    objects: PODS,
    namespaces: NAMESPACES,
    request: request.body === "" ? { ...request, body: await updateBody(target.access) } : request,
    ...more,
  };
  const before = await cpuMs(target);
  const result = await runJob<RequestsResult>(bench.program("load"), load, bench.signal);
  const used = (await cpuMs(target)) - before;
  if (load.count !== undefined && result.requests < load.count)
    throw new Error(`Cannot go on with "${name}": ${result.requests} of ${load.count} requests were answered in time`);
  const each = used / result.requests;
  const size = result.bytes / result.requests;
  return {
    name,
    value: (result.requests / result.ms) * 1000,
    unit: "/s",
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    note: [
      each < 1 ? `${Math.round(each * 1000)} us CPU each` : `${each.toFixed(1)} ms CPU each`,
      size > 100_000 ? `${(size / 1e6).toFixed(1)} MB` : `${(size / 1000).toFixed(1)} kB`,
      `load ${Math.round(result.busy * 100)} % busy`,
    ].join(", "),
  };
}

async function watchersOf(bench: Bench, target: Target): Promise<Figure[]> {
  const objects = 16;
  const path = "/api/v1/namespaces/bench-watch/configmaps";
  const load: WatchLoad = {
    do: "watch",
    access: target.access,
    watch: `${path}?watch=1&resourceVersion=${await newestVersion(target.access, path)}`,
    watchers: WATCHERS,
    watchersPerConnection: 100,
    write: {
      method: "PATCH",
      path: `${path}/watched-{k}`,
      headers: { "content-type": "application/merge-patch+json" },
      body: JSON.stringify({ data: { value: "{i}" } }),
    },
    objects,
    flood: 300,
    paced: 60,
    paceMs: 50,
  };
  const before = await cpuMs(target);
  const result = await runJob<WatchResult>(bench.program("load"), load, bench.signal);
  const used = (await cpuMs(target)) - before;
  const events = (load.flood + load.paced) * WATCHERS;
  return [
    {
      name: `events to ${WATCHERS} watchers`,
      value: result.eventsPerSecond,
      unit: "/s",
      note: `${((used / events) * 1000).toFixed(1)} us CPU each, load ${Math.round(result.busy * 100)} % busy`,
    },
    {
      name: `write to event, ${WATCHERS} watchers, 20 writes/s`,
      value: result.p50Ms,
      unit: "ms",
      p50Ms: result.p50Ms,
      p99Ms: result.p99Ms,
    },
  ];
}

/** Namespaces, and the service account that a controller makes where one runs. */
async function prepare(access: Access): Promise<void> {
  const session = await openSession(access);
  const names = [...Array.from({ length: NAMESPACES }, (_, i) => `bench-${i}`), "bench-watch"];
  for (const name of names) {
    const create = (path: string, kind: string, more: object) =>
      call(session, { method: "POST", path, body: JSON.stringify({ apiVersion: "v1", kind, ...more }) });
    await create("/api/v1/namespaces", "Namespace", { metadata: { name } });
    await create(`/api/v1/namespaces/${name}/serviceaccounts`, "ServiceAccount", { metadata: { name: "default" } });
  }
  for (let k = 0; k < 16; k++) {
    const filler = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`key-${i}`, "x".repeat(80)]));
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: `watched-${k}` }, data: filler };
    await call(session, { method: "POST", path: "/api/v1/namespaces/bench-watch/configmaps", body: JSON.stringify(body) });
  }
  session.destroy();
}

/** A pod as the server has it, as body for the update of any of them. */
async function updateBody(access: Access): Promise<string> {
  const session = await openSession(access);
  const { body } = await call(session, { method: "GET", path: "/api/v1/namespaces/bench-0/pods/pod-0" });
  session.destroy();
  const pod = JSON.parse(body.toString()) as { metadata: { annotations: object; labels: object }; spec: unknown };
  const { annotations, labels } = pod.metadata;
  const metadata = {
    name: "pod-{k}",
    namespace: "bench-{ns}",
    labels: { ...labels, group: "group-{ns}" },
    annotations: { ...annotations, "example.com/change": "{i}" },
  };
  return JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata, spec: pod.spec });
}

async function newestVersion(access: Access, path: string): Promise<string> {
  const session = await openSession(access);
  const { body } = await call(session, { method: "GET", path });
  session.destroy();
  return (JSON.parse(body.toString()) as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
}

async function cpuMs({ pids }: Target): Promise<number> {
  const all = await Promise.all(pids.map(usageOf));
  return all.reduce((sum, usage) => sum + usage.cpuMs, 0);
}
