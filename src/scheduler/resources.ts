import type { Container, Pod } from "#machinery/api/core-v1.ts";
import { milliValue, parseQuantity, quantityValue } from "#machinery/quantity.ts";

/** Amounts by resource name: cpu in millicores, everything else in its unit. Numbers are exact up to 2^53. */
export type Resources = Readonly<Record<string, number>>;
type Quantities = Readonly<Record<string, string | number>>;

const parsed = new Map<string, number>();
const PARSED_MAX = 10_000;

/** Quantities repeat: each text is parsed once. */
function amountOf(resource: string, quantity: string | number): number {
  const key = `${resource === "cpu" ? "m" : "v"}${quantity}`;
  let amount = parsed.get(key);
  if (amount === undefined) {
    const value = parseQuantity(quantity);
    amount = Number(resource === "cpu" ? milliValue(value) : quantityValue(value));
    if (parsed.size >= PARSED_MAX) parsed.clear();
    parsed.set(key, amount);
  }
  return amount;
}

export function resourcesFrom(quantities: Quantities | undefined): Resources {
  const amounts: Record<string, number> = {};
  for (const [resource, quantity] of Object.entries(quantities ?? {})) amounts[resource] = amountOf(resource, quantity);
  return amounts;
}

/**
 * What a pod asks for: its containers and sidecars together, or the largest init container with the sidecars started before it,
 * whichever is more; pod-level requests override per resource; overhead comes on top.
 */
export function requestsOf({ spec }: Pod): Resources {
  return combine(spec, (container) => resourcesFrom(container.resources?.requests));
}

const LEAST_CPU = 100;
const LEAST_MEMORY = 200 * 1024 * 1024;

/** For scoring: a container that asks for nothing counts as a small one, so that pods without requests spread too. */
export function scoredRequestsOf({ spec }: Pod): { readonly cpu: number; readonly memory: number } {
  const total = combine(spec, (container) => ({ cpu: LEAST_CPU, memory: LEAST_MEMORY, ...resourcesFrom(container.resources?.requests) }));
  return { cpu: total.cpu ?? 0, memory: total.memory ?? 0 };
}

function combine(spec: Pod["spec"], of: (container: Container) => Resources): Resources {
  const running: Record<string, number> = {};
  for (const container of spec.containers) add(running, of(container));
  const sidecars: Record<string, number> = {};
  const starting: Record<string, number> = {};
  for (const container of spec.initContainers ?? []) {
    const own = of(container);
    if (container.restartPolicy === "Always") {
      add(running, own);
      add(sidecars, own);
      raise(starting, sidecars);
    } else {
      const together = { ...sidecars };
      add(together, own);
      raise(starting, together);
    }
  }
  raise(running, starting);
  Object.assign(running, resourcesFrom(spec.resources?.requests));
  add(running, resourcesFrom(spec.overhead));
  return running;
}

export function add(total: Record<string, number>, amounts: Resources, sign: 1 | -1 = 1): void {
  for (const resource of Object.keys(amounts)) total[resource] = (total[resource] ?? 0) + sign * (amounts[resource] ?? 0);
}

function raise(total: Record<string, number>, amounts: Resources): void {
  for (const [resource, amount] of Object.entries(amounts)) total[resource] = Math.max(total[resource] ?? 0, amount);
}
