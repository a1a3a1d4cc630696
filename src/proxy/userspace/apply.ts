import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { createNftablesBackend } from "../nftables/apply.ts";
import type { Frame } from "../nftables/render.ts";
import type { ProxyBackend } from "../run.ts";
import type { ServicePort } from "../service-map.ts";
import { type Balancer, createBalancer } from "./balancer.ts";
import type { Listener } from "./listener.ts";
import { behindListeners, type Road, ROADS, renderUserspaceFrame, roadsOf, TABLE } from "./render.ts";
import { listenTcp } from "./tcp.ts";
import { listenUdp } from "./udp.ts";

interface Serving {
  readonly balancer: Balancer;
  readonly listener: Listener;
}

export interface UserspaceOptions {
  /** The node's own address of the frame's family: listeners are on it. */
  readonly address: string;
  readonly udpIdleMs?: number;
  readonly tcpIdleMs?: number;
}

/**
 * Joins clients and endpoints in this process; the kernel only leads service addresses to our listeners.
 *
 * U1. Listeners are open before the rules that lead to them, and close after these are gone.
 * U2. A change of endpoints changes no rule.
 * U3. Connections that stand outlive the removal of their Service, but not this process: disposing ends all of them.
 */
export function createUserspaceBackend(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  frame: Frame,
  { address, udpIdleMs, tcpIdleMs }: UserspaceOptions,
): ProxyBackend & AsyncDisposable {
  const rules = createNftablesBackend(frame, { table: TABLE, base: renderUserspaceFrame(frame) });
  const serving = new Map<string, Map<Road, Serving>>();
  const stopped = new Set<Listener>();

  return {
    async apply(ports, signal) {
      const rendered = new Map<string, ServicePort | undefined>();
      const obsolete: Listener[] = [];
      for (const [key, port] of ports) {
        const roads = serving.get(key) ?? new Map<Road, Serving>();
        serving.set(key, roads);
        const wanted = port === undefined ? [] : roadsOf(port);
        if (port?.protocol === "SCTP") log.warn("Mode userspace cannot serve SCTP, the port rejects", { port: port.id });
        for (const road of ROADS) {
          const now = roads.get(road);
          if (port !== undefined && wanted.includes(road)) {
            const { balancer, listener } = now ?? (await open(port)); // U1
            if (now === undefined) roads.set(road, { balancer, listener });
            balancer.update(port[road], port.affinitySeconds);
            listener.changed();
          } else if (now !== undefined) {
            now.balancer.update([], 0);
            obsolete.push(now.listener);
            roads.delete(road);
          }
        }
        if (port === undefined) serving.delete(key);
        const listening = new Map([...roads].map(([road, { listener }]) => [road, listener.port]));
        rendered.set(key, port === undefined ? undefined : behindListeners(port, address, listening));
      }
      try {
        return await rules.apply(rendered, signal); // U2
      } finally {
        for (const listener of obsolete) {
          stopped.add(listener); // U3
          void listener.stop().then(() => stopped.delete(listener));
        }
      }
    },
    async [Symbol.asyncDispose]() {
      const listeners = [...serving.values()].flatMap((roads) => [...roads.values()].map(({ listener }) => listener));
      await Promise.all([...listeners, ...stopped].map((listener) => listener.close()));
    },
  };

  async function open(port: ServicePort): Promise<Serving> {
    const balancer = createBalancer({ clock });
    const listener =
      port.protocol === "UDP"
        ? await listenUdp({ balancer, clock, log }, { address, ...(udpIdleMs === undefined ? {} : { idleMs: udpIdleMs }) })
        : await listenTcp({ balancer, log }, { address, ...(tcpIdleMs === undefined ? {} : { idleMs: tcpIdleMs }) });
    return { balancer, listener };
  }
}
