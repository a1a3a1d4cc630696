import { contains, type Fate, formatTarget, type Packet } from "../packet.ts";
import type { IptablesUnit } from "./render.ts";

interface State {
  readonly daddr: string;
  readonly dport: number;
  readonly marked: boolean;
  /** Chance of this road among all random choices. */
  readonly chance: number;
}

interface End {
  readonly state: State;
  readonly verdict: "fall through" | "DNAT" | "REJECT" | "DROP" | "MASQUERADE";
}

export interface IptablesFate extends Fate {
  /** Chance of each destination of `to`. */
  readonly chances: readonly number[];
}

/**
 * Walks a packet through rules as they are written for iptables-restore: nat hook, filter hook, postrouting, along every road that a random
 * choice allows. Clients remembered by `recent` are given as `list -> addresses`.
 */
export function tracePacket(
  frame: IptablesUnit,
  units: readonly IptablesUnit[],
  packet: Packet,
  { nodeAddresses, remembered = {} }: { nodeAddresses: readonly string[]; remembered?: Readonly<Record<string, readonly string[]>> },
): IptablesFate {
  const chains = new Map<string, string[]>();
  for (const unit of [...units, frame]) for (const { table, name, rules } of unit.chains) chains.set(`${table} ${name}`, [...rules]);
  for (const { table, chain, rule } of [...units.toReversed().flatMap((unit) => unit.shared.toReversed()), ...frame.shared]) {
    const rules = chains.get(`${table} ${chain}`) ?? [];
    rules.unshift(rule);
    chains.set(`${table} ${chain}`, rules);
  }

  const start: State = { daddr: packet.daddr, dport: packet.dport, marked: false, chance: 1 };
  const to = new Map<string, number>();
  let masquerade = false;
  let translated = false;
  for (const nat of walk("nat", packet.from === "node" ? "OUTPUT" : "PREROUTING", start)) {
    if (nat.verdict === "DNAT") translated = true;
    const { daddr, dport } = nat.state;
    const hook = packet.from === "node" ? "OUTPUT" : nodeAddresses.includes(daddr) ? "INPUT" : "FORWARD";
    for (const filtered of walk("filter", hook, nat.state)) {
      if (filtered.verdict === "REJECT" || filtered.verdict === "DROP")
        return { verdict: filtered.verdict === "REJECT" ? "reject" : "drop", to: [], masquerade: false, chances: [] };
      for (const { verdict } of walk("nat", "POSTROUTING", filtered.state)) if (verdict === "MASQUERADE") masquerade = true;
      const target = formatTarget(daddr, dport);
      to.set(target, (to.get(target) ?? 0) + filtered.state.chance);
    }
  }
  const targets = [...to.keys()].sort();
  return { verdict: translated ? "dnat" : "delivered", to: targets, masquerade, chances: targets.map((target) => to.get(target) ?? 0) };

  function walk(table: string, chain: string, from: State): End[] {
    let open: State[] = [from];
    const ends: End[] = [];
    for (const rule of chains.get(`${table} ${chain}`) ?? []) {
      const next: State[] = [];
      for (const state of open) {
        const { probability, target, options } = read(rule, state);
        if (probability < 1) next.push({ ...state, chance: state.chance * (1 - probability) });
        if (probability > 0) act({ ...state, chance: state.chance * probability }, target, options, next);
      }
      open = next;
    }
    return [...ends, ...open.map((state): End => ({ state, verdict: "fall through" }))];

    function act(state: State, target: string, options: ReadonlyMap<string, string>, next: State[]) {
      switch (target) {
        case "MARK":
          next.push({ ...state, marked: options.has("--or-mark") ? true : !state.marked });
          return;
        case "DNAT": {
          const [, bare, plain, port] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(options.get("--to-destination") ?? "") ?? [];
          ends.push({ state: { ...state, daddr: bare ?? plain ?? "", dport: Number(port) }, verdict: "DNAT" });
          return;
        }
        case "REJECT":
        case "DROP":
        case "MASQUERADE":
          ends.push({ state, verdict: target });
          return;
        case "RETURN":
          ends.push({ state, verdict: "fall through" });
          return;
        default:
          if (!chains.has(`${table} ${target}`))
            throw new Error(`Cannot trace target "${target}": there is no such chain in table ${table}`);
          for (const end of walk(table, target, state)) {
            if (end.verdict === "fall through") next.push(end.state);
            else ends.push(end);
          }
      }
    }
  }

  /** How likely a rule holds for a packet, and what it does then. */
  function read(rule: string, state: State): { probability: number; target: string; options: ReadonlyMap<string, string> } {
    const words = rule.match(/"[^"]*"|\S+/g) ?? [];
    const options = new Map<string, string>();
    let probability = 1;
    let target = "";
    for (let i = 0; i < words.length; i++) {
      const not = words[i] === "!";
      if (not) i++;
      const word = words[i] ?? "";
      const flag = word === "--rcheck" || word === "--set" || word === "--reap" || word === "--random-fully";
      const value = flag ? "" : (words[++i] ?? "");
      if (word === "-j") target = value;
      options.set(word, value);
      if (word === "--probability") probability *= Number(value);
      else if (!holds(word, value, options, state, not)) probability = 0;
    }
    return { probability, target, options };
  }

  function holds(word: string, value: string, options: ReadonlyMap<string, string>, state: State, not: boolean): boolean {
    switch (word) {
      case "-s":
        return contains(value, packet.saddr) !== not;
      case "-d":
        return contains(value, state.daddr) !== not;
      case "-p":
        return value === packet.protocol;
      case "--dport":
        return Number(value) === state.dport;
      case "--dst-type":
        return nodeAddresses.includes(state.daddr);
      case "--src-type":
        return nodeAddresses.includes(packet.saddr);
      case "--mark":
        return state.marked !== not;
      case "--rcheck":
        return remembered[options.get("--name") ?? ""]?.includes(packet.saddr) === true;
      case "--ctstate":
      case "--set":
      case "--reap":
      case "--random-fully":
      case "--name":
      case "--seconds":
      case "--comment":
      case "--mode":
      case "--or-mark":
      case "--xor-mark":
      case "--to-destination":
      case "--reject-with":
      case "-m":
      case "-j":
        return true;
      default:
        throw new Error(`Cannot trace "${word}": the walker does not know it, teach it`);
    }
  }
}
