import { type IptablesChain, type IptablesTable, type IptablesUnit, isOwnChain, type SharedRule } from "./render.ts";

/** Destination translation first: then new Services are reachable before their addresses stop being rejected, and never the reverse. */
const TABLES = ["nat", "filter"] as const;

/** What `iptables-save` says of us: chains of any run of ours, and rules elsewhere that lead to them. */
export interface Remains {
  readonly chains: readonly { readonly table: IptablesTable; readonly name: string }[];
  readonly jumps: readonly SharedRule[];
}

/** Reads `iptables-save`; other people's chains and rules are left out. */
export function parseRemains(saved: string): Remains {
  const chains: { table: IptablesTable; name: string }[] = [];
  const jumps: SharedRule[] = [];
  let table: IptablesTable | undefined;
  for (const line of saved.split("\n")) {
    if (line.startsWith("*")) table = line === "*nat" ? "nat" : line === "*filter" ? "filter" : undefined;
    if (table === undefined) continue;
    const declared = /^:(\S+) /.exec(line)?.[1];
    if (declared !== undefined && isOwnChain(declared)) chains.push({ table, name: declared });
    const [, chain = "", rule = ""] = /^-A (\S+) (.*)$/.exec(line) ?? [];
    const target = /-[jg] (\S+)/.exec(rule)?.[1] ?? "";
    if (isOwnChain(target) && !isOwnChain(chain)) jumps.push({ table, chain, rule });
  }
  return { chains, jumps };
}

/** Input of `iptables-restore --noflush` that makes exactly `units` of what is ours, whatever `remains`. */
export function fullScript(frame: IptablesUnit, units: readonly IptablesUnit[], remains: Remains): string {
  const wanted = new Map<string, IptablesChain>();
  for (const unit of [...units, frame]) for (const chain of unit.chains) wanted.set(`${chain.table} ${chain.name}`, chain);
  const leading = new Map<string, string[]>();
  for (const { table, chain, rule } of units.flatMap((unit) => unit.shared)) {
    const key = `${table} ${chain}`;
    const rules = leading.get(key);
    if (rules === undefined) leading.set(key, [rule]);
    else rules.push(rule);
  }
  return script((table) => {
    const chains = [...wanted.values()].filter((chain) => chain.table === table);
    const obsolete = remains.chains.filter((chain) => chain.table === table && !wanted.has(`${table} ${chain.name}`));
    const jumps = remains.jumps.filter((jump) => jump.table === table);
    return [
      ...[...chains, ...obsolete].map(({ name }) => `:${name} - [0:0]`),
      ...chains.flatMap(({ name, rules }) => [...(leading.get(`${table} ${name}`) ?? []), ...rules].map((rule) => `-A ${name} ${rule}`)),
      ...jumps.map(({ chain, rule }) => `-D ${chain} ${rule}`),
      ...frame.shared.filter((jump) => jump.table === table).map(({ chain, rule }) => `-I ${chain} 1 ${rule}`),
      ...obsolete.map(({ name }) => `-X ${name}`),
    ];
  });
}

/** Removes all that is ours and nothing else; empty when nothing is. */
export function removalScript({ chains, jumps }: Remains): string {
  return script((table) => {
    const own = chains.filter((chain) => chain.table === table);
    return [
      ...own.map(({ name }) => `:${name} - [0:0]`),
      ...jumps.filter((jump) => jump.table === table).map(({ chain, rule }) => `-D ${chain} ${rule}`),
      ...own.map(({ name }) => `-X ${name}`),
    ];
  });
}

export interface IptablesChange {
  readonly before: IptablesUnit | undefined;
  readonly after: IptablesUnit | undefined;
}

/**
 * Input of `iptables-restore --noflush` whose length follows the change; empty when nothing differs. It takes the frame's jumps out and
 * puts them in again: when someone else removed them, or a rule that changes, it fails as a whole ("out of step").
 */
export function changeScript(frame: IptablesUnit, changes: readonly IptablesChange[]): string {
  return script((table) => {
    const declare: string[] = [];
    const fill: string[] = [];
    const unlink: string[] = [];
    const link: string[] = [];
    const remove: string[] = [];
    for (const { before, after } of changes) {
      const old = new Map(before?.chains.filter((c) => c.table === table).map((c) => [c.name, c]));
      for (const { name, rules } of after?.chains.filter((c) => c.table === table) ?? []) {
        const was = old.get(name);
        old.delete(name);
        if (was !== undefined && same(was.rules, rules)) continue;
        declare.push(`:${name} - [0:0]`);
        fill.push(...rules.map((rule) => `-A ${name} ${rule}`));
      }
      for (const name of old.keys()) declare.push(`:${name} - [0:0]`);
      for (const name of old.keys()) remove.push(`-X ${name}`);
      const was = (before?.shared ?? []).filter((s) => s.table === table).map(({ chain, rule }) => `${chain} ${rule}`);
      const is = (after?.shared ?? []).filter((s) => s.table === table).map(({ chain, rule }) => `${chain} ${rule}`);
      if (same(was, is)) continue;
      unlink.push(...was.map((text) => `-D ${text}`));
      link.push(...is.toReversed().map((text) => `-I ${text}`));
    }
    const lines = [...declare, ...fill, ...unlink, ...link, ...remove];
    if (lines.length === 0) return [];
    const jumps = frame.shared.filter((jump) => jump.table === table);
    return [...lines, ...jumps.map(({ chain, rule }) => `-D ${chain} ${rule}`), ...jumps.map(({ chain, rule }) => `-I ${chain} 1 ${rule}`)];
  });
}

function script(linesOf: (table: IptablesTable) => readonly string[]): string {
  return TABLES.flatMap((table) => {
    const lines = linesOf(table);
    return lines.length === 0 ? [] : [`*${table}`, ...lines, "COMMIT", ""];
  }).join("\n");
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, i) => line === b[i]);
}
