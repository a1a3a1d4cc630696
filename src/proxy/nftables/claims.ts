import type { Element, Unit } from "./ruleset.ts";

/**
 * Elements of verdict maps have one owner. Of several Services that claim one external address and port, or whose objects overlap while
 * a node port changes hands, the first to come has it until it lets go; then the next one gets it.
 */
export interface Claims {
  /**
   * Takes in what changed, by unit, and gives back the units as they may be written: the changed ones without elements that
   * others own, and those that now get an element they had to wait for.
   */
  settle(changes: ReadonlyMap<string, Unit | undefined>): ReadonlyMap<string, Unit | undefined>;
}

export function createClaims(): Claims {
  const wanted = new Map<string, Unit>();
  /** Who wants an element, the owner first. */
  const queues = new Map<string, string[]>();

  return {
    settle(changes) {
      const touched = new Set(changes.keys());
      for (const [key, after] of changes) {
        const kept = new Set(after?.elements.filter(isExclusive).map(placeOf));
        for (const element of wanted.get(key)?.elements.filter(isExclusive) ?? []) {
          if (!kept.has(placeOf(element))) leave(placeOf(element), key, touched);
        }
        if (after === undefined) wanted.delete(key);
        else wanted.set(key, after);
        for (const place of kept) {
          const queue = queues.get(place) ?? [];
          if (!queue.includes(key)) queues.set(place, [...queue, key]);
        }
      }
      return new Map([...touched].map((key) => [key, owned(key)]));
    },
  };

  function leave(place: string, key: string, touched: Set<string>): void {
    const queue = queues.get(place) ?? [];
    const rest = queue.filter((other) => other !== key);
    if (rest[0] !== undefined && queue[0] === key) touched.add(rest[0]);
    if (rest.length === 0) queues.delete(place);
    else queues.set(place, rest);
  }

  function owned(key: string): Unit | undefined {
    const unit = wanted.get(key);
    if (unit === undefined) return undefined;
    const elements = unit.elements.filter((element) => !isExclusive(element) || queues.get(placeOf(element))?.[0] === key);
    return elements.length === unit.elements.length ? unit : { ...unit, elements };
  }
}

/** Elements of plain sets, such as those for hairpin traffic, may have many owners. */
function isExclusive(element: Element): boolean {
  return element.verdict !== undefined;
}

function placeOf({ map, key }: Element): string {
  return `${map} ${key}`;
}
