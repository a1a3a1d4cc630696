import { silentLog } from "#base/log.ts";
import { systemClock } from "#base/node/system-clock.ts";
import type { Informer, InformerEvent, InformerFactory } from "#client/contract.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import type { Kind } from "#kinds/kind.ts";
import type { Service } from "#machinery/api/core-v1.ts";
import type { EndpointSlice } from "#machinery/api/discovery-v1.ts";
import { keyOf, type KubeObject, type Stored } from "#machinery/object.ts";
import { createNftablesBackend } from "#proxy/nftables/apply.ts";
import { type ProxyBackend, runProxy } from "#proxy/run.ts";
import { answerJob } from "../processes.ts";

export interface ProxyLoad {
  readonly services: number;
  /** How long endpoints are changed, one after the other. */
  readonly ms: number;
}

export interface Applied {
  readonly ms: number;
  readonly bytes: number;
}

export interface ProxyLoadResult {
  readonly full: Applied;
  readonly changes: readonly Applied[];
}

const MAX_CHANGES = 300;
const SERVICE_NAME = "kubernetes.io/service-name";

answerJob(load);

/** The node's proxy as it is, on caches that this program changes: from an informer's event until the kernel has said yes. */
async function load({ services, ms }: ProxyLoad): Promise<ProxyLoadResult> {
  const stop = new AbortController();
  const caches = createCaches();
  for (let i = 0; i < services; i++) {
    caches.services.put(service(i));
    caches.slices.put(slice(i, 0));
  }
  const nftables = createNftablesBackend({ family: "ip", podCidr: "10.42.0.0/16", serviceCidr: "10.96.0.0/12" });
  let onApplied: ((bytes: number) => void) | undefined;
  const backend: ProxyBackend = {
    async apply(ports, signal) {
      const applied = await nftables.apply(ports, signal);
      onApplied?.(applied.bytes);
      return applied;
    },
  };
  const applied = () => new Promise<number>((resolve) => (onApplied = resolve));

  const started = performance.now();
  const first = applied();
  const running = runProxy(
    { informers: caches.factory, backends: { IPv4: backend }, clock: systemClock, log: silentLog },
    { nodeName: "node-1" },
    stop.signal,
  );
  const bytes = await Promise.race([first, running.then(() => Promise.reject(new Error("Cannot measure the proxy: it ended")))]);
  const full = { ms: performance.now() - started, bytes };

  const changes: Applied[] = [];
  const until = performance.now() + ms;
  for (let n = 0; changes.length < MAX_CHANGES && performance.now() < until; n++) {
    const done = applied();
    const at = performance.now();
    caches.slices.put(slice((n * 7919) % services, 1 + Math.floor(n / services)));
    const sent = await done;
    if (sent === 0) throw new Error("Cannot measure the proxy: a changed endpoint changed no rule");
    changes.push({ ms: performance.now() - at, bytes: sent });
  }
  stop.abort();
  await running;
  return { full, changes };
}

/** Every tenth Service has a node port. */
function service(i: number): Stored<Service> {
  const clusterIP = `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
  const nodePort = i % 10 === 0 && i / 10 < 2700 ? { nodePort: 30_000 + i / 10 } : {};
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: stored(`svc-${i}`),
    spec: {
      type: "nodePort" in nodePort ? "NodePort" : "ClusterIP",
      clusterIP,
      clusterIPs: [clusterIP],
      ports: [{ name: "http", port: 80, protocol: "TCP", ...nodePort }],
    },
  };
}

/** Three endpoints, one of them on this node; `turn` moves the last one to another address. */
function slice(i: number, turn: number): Stored<EndpointSlice> {
  const address = (n: number) => {
    const at = (i * 4 + n) % 65_000;
    return `10.42.${at >> 8}.${at & 255}`;
  };
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { ...stored(`svc-${i}-abcde`), labels: { [SERVICE_NAME]: `svc-${i}` } },
    addressType: "IPv4",
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    endpoints: [0, 1, turn % 2 === 0 ? 2 : 3].map((n, at) => ({
      addresses: [address(n)],
      conditions: { ready: true },
      nodeName: `node-${at + 1}`,
    })),
  };
}

function stored(name: string) {
  return { name, namespace: "default", uid: `uid-of-${name}`, resourceVersion: "1", creationTimestamp: "2030-01-01T00:00:00Z" };
}

interface Cache<T extends KubeObject> {
  readonly informer: Informer<T>;
  put(object: Stored<T>): void;
}

function createCaches() {
  const services = createCache<Service>(ServiceKind, () => []);
  const slices = createCache<EndpointSlice>(EndpointSliceKind, ({ metadata }) => [
    `${metadata.namespace}/${metadata.labels?.[SERVICE_NAME] ?? ""}`,
  ]);
  const byKind = new Map<string, unknown>([
    [ServiceKind.kind, services.informer],
    [EndpointSliceKind.kind, slices.informer],
  ]);
  const factory: InformerFactory = {
    informer: <T extends KubeObject>(kind: Kind<T>) => {
      const informer = byKind.get(kind.kind);
      if (informer === undefined) throw new Error(`Cannot follow ${kind.kind}: this bench has no cache of it`);
      return informer as Informer<T>; // kinds and caches go together in the map above
    },
    run: () => Promise.resolve(),
  };
  return { services, slices, factory };
}

/** An informer without a server behind it, with one index whatever its name. */
function createCache<T extends KubeObject>(kind: Kind<T>, indexed: (object: Stored<T>) => readonly string[]): Cache<T> {
  const objects = new Map<string, Stored<T>>();
  const index = new Map<string, Map<string, Stored<T>>>();
  const handlers: ((event: InformerEvent<T>) => void)[] = [];
  return {
    put(object) {
      const key = keyOf(object);
      const previous = objects.get(key);
      objects.set(key, object);
      for (const value of indexed(object)) index.set(value, new Map(index.get(value)).set(key, object));
      const event: InformerEvent<T> = previous === undefined ? { type: "added", object } : { type: "updated", object, previous };
      for (const handler of handlers) handler(event);
    },
    informer: {
      kind,
      synced: Promise.resolve(),
      lister: {
        get: ({ name, namespace }) => objects.get(namespace === undefined ? name : `${namespace}/${name}`),
        list: (namespace) => [...objects.values()].filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace),
        byIndex: (_name, value) => [...(index.get(value)?.values() ?? [])],
      },
      onEvent(handler) {
        handlers.push(handler);
        for (const object of objects.values()) handler({ type: "added", object });
      },
    },
  };
}
