import { encode } from "dns-packet";
import { deferred } from "#base/deferred.ts";
import { silentLog } from "#base/log.ts";
import { handleQuery } from "#dns/handler.ts";
import { runDns } from "#dns/run.ts";
import type { ZoneView } from "#dns/zone.ts";
import type { Service } from "#machinery/api/core-v1.ts";
import type { EndpointSlice } from "#machinery/api/discovery-v1.ts";
import { type Part, nothingMissing } from "./part.ts";
import { freePort, runJob } from "./processes.ts";
import type { DnsLoad, DnsLoadResult } from "./programs/dns-load.ts";

const SERVICES = 10_000;
const MEMORY_MS = 2000;
const UDP_MS = 3000;
/** Questions on their way at the same time: as many pods wait for an answer. */
const WINDOW = 200;

/** What pods ask, search list included: most questions are for names that do not exist. */
const QUESTIONS = [
  { label: "A of a Service", type: "A", name: (i: number) => `svc-${i}.ns-${i % 50}.svc.cluster.local` },
  {
    label: "A through the search list",
    type: "A",
    name: (i: number) => `svc-${i}.ns-${i % 50}.svc.cluster.local.default.svc.cluster.local`,
  },
  { label: "SRV of a headless Service, 3 pods", type: "SRV", name: (i: number) => `_http._tcp.headless-${i % 100}.ns-0.svc.cluster.local` },
] as const;

export const dns: Part = {
  name: "dns",
  about: "answers of the cluster's DNS, in memory and over UDP on loopback",
  limitMs: 25_000,
  missing: nothingMissing,
  async run({ row, progress, program, signal }) {
    const zone = makeZone();
    for (const { label, type, name } of QUESTIONS) {
      progress(`${label}, in memory`);
      const messages = Array.from({ length: 1000 }, (_, i) => question(i, name((i * 7919) % SERVICES), type));
      row({ name: `${label}, in memory`, value: rate(messages, zone), unit: "/s" });
    }

    progress(`${SERVICES} Services over UDP`);
    const port = await freePort();
    const stop = new AbortController();
    const listening = deferred();
    const server = runDns(
      { zone, log: silentLog },
      { address: "127.0.0.1", port, forwarders: [], onListening: listening.resolve },
      AbortSignal.any([stop.signal, signal]),
    );
    await Promise.race([listening.promise, server]);
    const messages = Array.from({ length: 1000 }, (_, i) =>
      question(i, QUESTIONS[0].name((i * 7919) % SERVICES), QUESTIONS[0].type).toString("base64"),
    );
    const load: DnsLoad = { port, messages, window: WINDOW, ms: UDP_MS };
    const before = performance.eventLoopUtilization();
    const { answers, ms, lost, p50Ms, p99Ms, busy } = await runJob<DnsLoadResult>(program("dns-load"), load, signal);
    const serverBusy = performance.eventLoopUtilization(before).utilization;
    stop.abort();
    await server;
    row({
      name: `${QUESTIONS[0].label}, UDP`,
      value: (answers / ms) * 1000,
      unit: "/s",
      p50Ms,
      p99Ms,
      note: `${lost} lost; server ${percent(serverBusy)} busy, load ${percent(busy)}`,
    });
  },
};

function rate(messages: readonly Buffer[], zone: ZoneView): number {
  let answered = 0;
  const started = performance.now();
  while (performance.now() - started < MEMORY_MS) {
    for (const message of messages) if (handleQuery(zone, message, { transport: "udp" }).do === "answer") answered++;
  }
  if (answered === 0) throw new Error("Cannot measure DNS: no question was answered, wanted all");
  return (answered / (performance.now() - started)) * 1000;
}

function question(id: number, name: string, type: "A" | "SRV"): Buffer {
  return encode({ type: "query", id, flags: 0x0100, questions: [{ type, name, class: "IN" }] });
}

function makeZone(): ZoneView {
  const services = new Map<string, Service>();
  const slices = new Map<string, EndpointSlice[]>();
  for (let i = 0; i < SERVICES; i++) {
    const name = `svc-${i}`;
    const namespace = `ns-${i % 50}`;
    const clusterIP = `10.43.${i >> 8}.${i & 255}`;
    services.set(`${namespace}/${name}`, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec: { clusterIP, clusterIPs: [clusterIP], ports: [{ name: "http", port: 80, protocol: "TCP" }] },
    });
  }
  for (let i = 0; i < 100; i++) {
    const name = `headless-${i}`;
    const key = `ns-0/${name}`;
    const metadata = { name, namespace: "ns-0" };
    services.set(key, { apiVersion: "v1", kind: "Service", metadata, spec: { clusterIP: "None", ports: [{ name: "http", port: 80 }] } });
    const endpoints = [1, 2, 3].map((n) => ({ addresses: [`10.42.${i}.${n}`], conditions: { ready: true } }));
    const slice: EndpointSlice = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata,
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      endpoints,
    };
    slices.set(key, [slice]);
  }
  return {
    domain: "cluster.local",
    namespaceExists: (name) => /^ns-\d+$/.test(name) || name === "default",
    service: (namespace, name) => services.get(`${namespace}/${name}`),
    slices: (namespace, name) => slices.get(`${namespace}/${name}`) ?? [],
    serviceByClusterIP: () => undefined,
    slicesByAddress: () => [],
  };
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
