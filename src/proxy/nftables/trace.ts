import { contains, type Fate, formatTarget, type Packet } from "../packet.ts";
import type { Rule, Unit } from "./ruleset.ts";

/**
 * Walks a packet through rendered units as the kernel would: NAT hook, filter hook, postrouting. `nodeAddresses` are the
 * machine's own. Clients remembered by affinity sets are given as `set -> addresses`.
 */
export function tracePacket(
  units: readonly Unit[],
  packet: Packet,
  { nodeAddresses, remembered = {} }: { nodeAddresses: readonly string[]; remembered?: Readonly<Record<string, readonly string[]>> },
): Fate {
  const chains = new Map(units.flatMap((u) => u.chains).map((c) => [c.name, c]));
  const elements = units.flatMap((u) => u.elements);
  const state = { daddr: packet.daddr, dport: packet.dport, mark: false };

  const nat = walk(packet.from === "node" ? "nat-output" : "nat-prerouting");
  const outcomes = nat.do === "dnat" ? nat.to : [{ ip: packet.daddr, port: packet.dport }];
  let masquerade = false;
  for (const { ip, port } of outcomes) {
    state.daddr = ip;
    state.dport = port;
    const hook = packet.from === "node" ? "filter-output" : nodeAddresses.includes(ip) ? "filter-input" : "filter-forward";
    const filtered = walk(hook);
    if (filtered.do === "reject" || filtered.do === "drop") return { verdict: filtered.do, to: [], masquerade: false };
    const marked = state.mark;
    if (walk("nat-postrouting").do === "masquerade") masquerade = true;
    state.mark = marked;
  }
  return {
    verdict: nat.do === "dnat" ? "dnat" : "delivered",
    to: outcomes.map(({ ip, port }) => formatTarget(ip, port)).sort(),
    masquerade,
  };

  type End = { do: "dnat"; to: readonly { ip: string; port: number }[] } | { do: "reject" | "drop" | "masquerade" | "accept" | "return" };

  function walk(name: string): End {
    for (const rule of chains.get(name)?.rules ?? []) {
      if (!rule.match.every(holds)) continue;
      const end = perform(rule);
      if (end !== undefined) return end;
    }
    return { do: "return" };
  }

  function perform({ action }: Rule): End | undefined {
    switch (action.do) {
      case "jump":
        return unlessReturn(walk(action.chain));
      case "goto":
        return walk(action.chain);
      case "vmap": {
        const key = action.key === "port" ? `${packet.protocol} . ${state.dport}` : `${state.daddr} . ${packet.protocol} . ${state.dport}`;
        const verdict = elements.find((e) => e.map === action.map && e.key === key)?.verdict;
        return verdict === undefined ? undefined : walk(verdict.replace("goto ", ""));
      }
      case "dnat":
        return { do: "dnat", to: action.to };
      case "goto one of": {
        const ends = action.chains.map(walk);
        return { do: "dnat", to: ends.flatMap((end) => (end.do === "dnat" ? end.to : [])) };
      }
      case "mark for masquerade":
        state.mark = true;
        return undefined;
      case "clear mark":
        state.mark = false;
        return undefined;
      case "remember client":
        return undefined;
      case "masquerade":
      case "reject":
      case "drop":
      case "return":
        return { do: action.do };
    }
  }

  function unlessReturn(end: End): End | undefined {
    return end.do === "return" ? undefined : end;
  }

  function holds(match: Rule["match"][number]): boolean {
    switch (match.on) {
      case "daddr":
        return match.in.some((cidr) => contains(cidr, state.daddr)) !== (match.not === true);
      case "saddr":
        if ("set" in match) return remembered[match.set]?.includes(packet.saddr) === true;
        return match.in.some((cidr) => contains(cidr, packet.saddr)) !== (match.not === true);
      case "l4proto":
        return match.is.toLowerCase() === packet.protocol;
      case "local":
        return nodeAddresses.includes(match.which === "daddr" ? state.daddr : packet.saddr);
      case "new connection":
        return true;
      case "mark":
        return state.mark === match.set;
      case "hairpin":
        return elements.some((e) => e.map === "hairpin" && e.key === `${packet.saddr} . ${state.daddr}`);
    }
  }
}
