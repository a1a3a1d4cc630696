import { TABLE } from "./render.ts";
import { type Element, formatRule, type Unit } from "./ruleset.ts";

type NftFamily = "ip" | "ip6";

/** A transaction that replaces the whole table by `units`, whatever was there. */
export function fullScript(units: readonly Unit[], family: NftFamily, name = TABLE): string {
  const table = `${family} ${name}`;
  return [`add table ${table}`, `delete table ${table}`, `add table ${table}`, ...additions(units, family, table)].join("\n").concat("\n");
}

export interface UnitChange {
  readonly before: Unit | undefined;
  readonly after: Unit | undefined;
}

/** How many units use an element: two Services may select one pod, whose hairpin element stays until both let it go. */
export type ElementUses = ReadonlyMap<string, number>;

/** `uses` after `changes`. */
export function countUses(uses: ElementUses, changes: readonly UnitChange[]): Map<string, number> {
  const next = new Map(uses);
  for (const { before, after } of changes) {
    for (const element of before?.elements ?? []) {
      const left = (next.get(elementId(element)) ?? 0) - 1;
      if (left > 0) next.set(elementId(element), left);
      else next.delete(elementId(element));
    }
    for (const element of after?.elements ?? []) next.set(elementId(element), (next.get(elementId(element)) ?? 0) + 1);
  }
  return next;
}

/**
 * A transaction that turns `before` into `after`, where both are units of the same service port or of none (undefined).
 * Its length follows the change. Empty when nothing differs. `uses` counts the elements before the changes.
 */
export function changeScript(changes: readonly UnitChange[], family: NftFamily, uses: ElementUses, name = TABLE): string {
  const table = `${family} ${name}`;
  const declare: string[] = [];
  const refill: string[] = [];
  const unlink: string[] = [];
  const link: string[] = [];
  const remove: string[] = [];
  const touched = new Map<string, { readonly element: Element; delta: number }>();

  for (const { before, after } of changes) {
    const oldSets = new Map(before?.sets.map((s) => [s.name, s]));
    for (const set of after?.sets ?? []) {
      if (oldSets.get(set.name)?.declaration === set.declaration) oldSets.delete(set.name);
      else declare.push(`add ${inTable(set.declaration, table)}`);
    }
    const oldChains = new Map(before?.chains.map((c) => [c.name, c]));
    for (const chain of after?.chains ?? []) {
      const old = oldChains.get(chain.name);
      oldChains.delete(chain.name);
      const rules = chain.rules.flatMap((rule) => formatRule(rule, family));
      if (old === undefined) declare.push(`add chain ${table} ${chain.name}`);
      else if (
        same(
          old.rules.flatMap((rule) => formatRule(rule, family)),
          rules,
        )
      )
        continue;
      else refill.push(`flush chain ${table} ${chain.name}`);
      refill.push(...rules.map((rule) => `add rule ${table} ${chain.name} ${rule}`));
    }
    for (const element of before?.elements ?? []) touch(element, -1);
    for (const element of after?.elements ?? []) touch(element, 1);
    for (const name of oldChains.keys()) remove.push(`flush chain ${table} ${name}`);
    for (const name of oldChains.keys()) remove.push(`delete chain ${table} ${name}`);
    for (const name of oldSets.keys()) remove.push(`delete set ${table} ${name}`);
  }
  for (const [id, { element, delta }] of touched) {
    const count = uses.get(id) ?? 0;
    if (count > 0 && count + delta <= 0) unlink.push(`delete element ${table} ${element.map} { ${element.key} }`);
    if (count === 0 && delta > 0) link.push(`add element ${table} ${formatElement(element)}`);
  }
  const lines = [...declare, ...refill, ...unlink, ...link, ...remove];
  return lines.length === 0 ? "" : `${lines.join("\n")}\n`;

  function touch(element: Element, by: number) {
    const id = elementId(element);
    const seen = touched.get(id);
    if (seen === undefined) touched.set(id, { element, delta: by });
    else seen.delta += by;
  }
}

function additions(units: readonly Unit[], family: NftFamily, table: string): string[] {
  const lines: string[] = [];
  for (const unit of units) for (const set of unit.sets) lines.push(`add ${inTable(set.declaration, table)}`);
  for (const unit of units)
    for (const chain of unit.chains) lines.push(`add chain ${table} ${chain.name}${chain.hook === undefined ? "" : ` { ${chain.hook}; }`}`);
  for (const unit of units)
    for (const chain of unit.chains)
      for (const rule of chain.rules) for (const line of formatRule(rule, family)) lines.push(`add rule ${table} ${chain.name} ${line}`);
  const byMap = new Map<string, Set<string>>();
  for (const unit of units)
    for (const element of unit.elements) {
      const of = byMap.get(element.map) ?? new Set();
      byMap.set(element.map, of.add(element.verdict === undefined ? element.key : `${element.key} : ${element.verdict}`));
    }
  for (const [map, elements] of byMap) lines.push(`add element ${table} ${map} { ${[...elements].join(", ")} }`);
  return lines;
}

/** `set x { ... }` -> `set ip table x { ... }`. */
function inTable(declaration: string, table: string): string {
  return declaration.replace(/^(set|map) /, `$1 ${table} `);
}

function elementId(element: Element): string {
  return `${element.map} ${element.key} ${element.verdict ?? ""}`;
}

function formatElement({ map, key, verdict }: Element): string {
  return `${map} { ${verdict === undefined ? key : `${key} : ${verdict}`} }`;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, i) => line === b[i]);
}
