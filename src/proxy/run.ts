import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { InformerFactory } from "#client/contract.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import type { HealthServer } from "./health.ts";
import { type Family, healthCheck, type ServicePort, servicePorts } from "./service-map.ts";

/** All data planes take ports by id; undefined removes one. See nftables/apply.ts for the guarantees. */
export interface ProxyBackend {
  apply(
    ports: ReadonlyMap<string, ServicePort | undefined>,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: number; readonly full: boolean }>;
}

export interface ProxyDeps {
  readonly informers: InformerFactory;
  /** One data plane for each family that is served. */
  readonly backends: Readonly<Partial<Record<Family, ProxyBackend>>>;
  /** @default none: health check node ports are not answered */
  readonly health?: HealthServer;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ProxyOptions {
  readonly nodeName: string;
  /** Changes that come within this time are sent together. @default 5 */
  readonly gatherMs?: number;
  /** Called after the first transaction: from then on Services work on this node. */
  readonly onSynced?: () => void;
}

const SERVICE_NAME = "kubernetes.io/service-name";
const RETRY_MS = 1000;

interface Plane {
  readonly family: Family;
  readonly backend: ProxyBackend;
  readonly portsOf: Map<string, readonly string[]>;
  pending: Map<string, ServicePort | undefined>;
  /** An empty change is sent too: the first, and the one after a failure, which makes the back end send the whole table. */
  due: boolean;
}

/** Follows Services and EndpointSlices and keeps the kernel's rules equal to them until `signal` aborts. Rules stay when it ends. */
export async function runProxy(
  { informers, backends, health, clock, log }: ProxyDeps,
  options: ProxyOptions,
  signal: AbortSignal,
): Promise<void> {
  const { nodeName, gatherMs = 5, onSynced } = options;
  const services = informers.informer(ServiceKind);
  const slices = informers.informer(EndpointSliceKind, {
    indexes: { service: (slice) => [`${slice.metadata.namespace}/${slice.metadata.labels?.[SERVICE_NAME] ?? ""}`] },
  });
  const dirty = new Set<string>();
  const planes = (["IPv4", "IPv6"] as const).flatMap((family): Plane[] => {
    const backend = backends[family];
    return backend === undefined ? [] : [{ family, backend, portsOf: new Map(), pending: new Map(), due: true }];
  });
  let wake: (() => void) | undefined;

  services.onEvent(({ object }) => touch(`${object.metadata.namespace}/${object.metadata.name}`));
  slices.onEvent((event) => {
    const owner = (labels: Readonly<Record<string, string>> | undefined) => labels?.[SERVICE_NAME];
    for (const name of new Set([
      owner(event.object.metadata.labels),
      event.type === "updated" ? owner(event.previous.metadata.labels) : undefined,
    ]))
      if (name !== undefined) touch(`${event.object.metadata.namespace}/${name}`);
  });
  await Promise.race([Promise.all([services.synced, slices.synced]), aborted(signal)]);

  let synced = false;
  while (!signal.aborted) {
    const checks: string[] = [...dirty];
    for (const plane of planes) for (const key of dirty) for (const [id, port] of portChanges(key, plane)) plane.pending.set(id, port);
    dirty.clear();
    let failed = false;
    for (const plane of planes) if (plane.due || plane.pending.size > 0) failed = !(await send(plane)) || failed;
    if (signal.aborted) return;
    health?.setHealthy(!failed);
    if (health !== undefined) for (const key of checks) await health.update(key, healthOf(key));
    if (failed) {
      await clock.sleep(RETRY_MS, signal);
      continue;
    }
    if (!synced) onSynced?.();
    synced = true;
    if (dirty.size === 0 && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
    await clock.sleep(gatherMs, signal);
  }

  /** Whether the kernel has what the caches say. */
  async function send(plane: Plane): Promise<boolean> {
    const { family, backend, pending } = plane;
    plane.pending = new Map();
    try {
      const started = clock.now();
      const { bytes, full } = await backend.apply(pending, signal);
      log.debug("Service rules applied", { family, ports: pending.size, bytes, full, ms: clock.now() - started });
      plane.due = false;
      return true;
    } catch (cause) {
      if (!signal.aborted) log.error("Service rules could not be applied", { family, ports: pending.size, cause });
      plane.due = true;
      return false;
    }
  }

  function healthOf(key: string) {
    const service = serviceOf(key);
    return service === undefined ? undefined : healthCheck(service, slices.lister.byIndex("service", key), nodeName);
  }

  function serviceOf(key: string) {
    const [namespace, name] = key.split("/");
    return services.lister.get({ name: name ?? "", namespace });
  }

  function portChanges(key: string, { family, portsOf }: Plane): [string, ServicePort | undefined][] {
    const service = serviceOf(key);
    const ports = service === undefined ? [] : servicePorts(service, slices.lister.byIndex("service", key), { nodeName, family });
    const gone = (portsOf.get(key) ?? []).filter((id) => !ports.some((port) => unitKey(port) === id));
    if (ports.length === 0) portsOf.delete(key);
    else portsOf.set(key, ports.map(unitKey));
    return [
      ...gone.map((id): [string, undefined] => [id, undefined]),
      ...ports.map((port): [string, ServicePort] => [unitKey(port), port]),
    ];
  }

  function touch(key: string) {
    dirty.add(key);
    wake?.();
  }

  function aborted(s: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      s.addEventListener("abort", () => {
        wake?.();
        resolve();
      });
      if (s.aborted) resolve();
    });
  }
}

function unitKey(port: ServicePort): string {
  return `${port.id}/${port.protocol}/${port.port}`;
}
