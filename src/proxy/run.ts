import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { InformerFactory } from "#client/contract.ts";
import { ServiceKind } from "#kinds/core/service.ts";
import { EndpointSliceKind } from "#kinds/discovery/endpoint-slice.ts";
import { type ServicePort, servicePorts } from "./service-map.ts";

/** The four data planes take ports by id; undefined removes one. See nftables/apply.ts for the guarantees. */
export interface ProxyBackend {
  apply(
    ports: ReadonlyMap<string, ServicePort | undefined>,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: number; readonly full: boolean }>;
}

export interface ProxyDeps {
  readonly informers: InformerFactory;
  readonly backend: ProxyBackend;
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

/** Follows Services and EndpointSlices and keeps the kernel's rules equal to them until `signal` aborts. Rules stay when it ends. */
export async function runProxy({ informers, backend, clock, log }: ProxyDeps, options: ProxyOptions, signal: AbortSignal): Promise<void> {
  const { nodeName, gatherMs = 5, onSynced } = options;
  const services = informers.informer(ServiceKind);
  const slices = informers.informer(EndpointSliceKind, {
    indexes: { service: (slice) => [`${slice.metadata.namespace}/${slice.metadata.labels?.[SERVICE_NAME] ?? ""}`] },
  });
  const dirty = new Set<string>();
  const portsOf = new Map<string, readonly string[]>();
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

  let first = true;
  let pending = new Map<string, ServicePort | undefined>();
  while (!signal.aborted) {
    for (const key of dirty) for (const [id, port] of portChanges(key)) pending.set(id, port);
    dirty.clear();
    if (first || pending.size > 0) {
      const sending = pending;
      pending = new Map();
      try {
        const started = clock.now();
        const { bytes, full } = await backend.apply(sending, signal);
        log.debug("Service rules applied", { ports: sending.size, bytes, full, ms: clock.now() - started });
        if (first) onSynced?.();
        first = false;
      } catch (cause) {
        if (signal.aborted) return;
        log.error("Service rules could not be applied", { ports: sending.size, cause });
        // The back end has taken the ports in; an empty change makes it send the whole table.
        first = true;
        await clock.sleep(RETRY_MS, signal);
        continue;
      }
    }
    if (dirty.size === 0 && !signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
    await clock.sleep(gatherMs, signal);
  }

  function portChanges(key: string): [string, ServicePort | undefined][] {
    const [namespace, name] = key.split("/");
    const service = services.lister.get({ name: name ?? "", namespace });
    const ports = service === undefined ? [] : servicePorts(service, slices.lister.byIndex("service", key), { nodeName, family: "IPv4" });
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
