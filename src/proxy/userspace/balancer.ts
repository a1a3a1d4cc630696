import type { Clock } from "#base/clock.ts";
import type { Backend } from "../service-map.ts";

/** Remembered clients are at most this many per listener; the one seen longest ago is forgotten first. */
const MAX_CLIENTS = 65_536;

/**
 * Round robin over endpoints.
 *
 * B1. Each endpoint is chosen once before any is chosen twice, while the list stays the same.
 * B2. With affinity, a client gets the endpoint it had, unless that is gone or the client was not seen for so long.
 */
export interface Balancer {
  /** Undefined when there is no endpoint. `except` are those that just refused. */
  choose(client: string, except?: ReadonlySet<Backend>): Backend | undefined;
  update(backends: readonly Backend[], affinitySeconds: number): void;
  readonly backends: readonly Backend[];
}

export function createBalancer({ clock }: { readonly clock: Clock }): Balancer {
  let backends: readonly Backend[] = [];
  let affinityMs = 0;
  let next = 0;
  const clients = new Map<string, { readonly backend: string; readonly seen: number }>();

  return {
    get backends() {
      return backends;
    },
    choose(client, except) {
      const now = clock.now();
      const known = affinityMs > 0 ? clients.get(client) : undefined;
      const before =
        known !== undefined && now - known.seen < affinityMs ? backends.find((backend) => keyOf(backend) === known.backend) : undefined;
      const chosen = before !== undefined && except?.has(before) !== true ? before : inTurn(except); // B2
      if (chosen !== undefined && affinityMs > 0) {
        clients.delete(client);
        clients.set(client, { backend: keyOf(chosen), seen: now });
        const oldest = clients.keys().next().value;
        if (clients.size > MAX_CLIENTS && oldest !== undefined) clients.delete(oldest);
      }
      return chosen;
    },
    update(wanted, affinitySeconds) {
      backends = wanted;
      affinityMs = affinitySeconds * 1000;
      if (affinityMs === 0) clients.clear();
    },
  };

  function inTurn(except: ReadonlySet<Backend> | undefined): Backend | undefined {
    for (let i = 0; i < backends.length; i++) {
      const backend = backends[next++ % backends.length]; // B1
      if (backend !== undefined && except?.has(backend) !== true) return backend;
    }
    return undefined;
  }
}

export function keyOf({ ip, port }: Backend): string {
  return `${ip} ${port}`;
}
