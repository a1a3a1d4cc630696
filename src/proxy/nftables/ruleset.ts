import type { Protocol } from "../service-map.ts";

/** One condition of a rule; all of a rule's conditions must hold. */
export type Match =
  | { readonly on: "daddr" | "saddr"; readonly not?: true; readonly in: readonly string[] }
  /** Source address is in a named set. */
  | { readonly on: "saddr"; readonly set: string }
  | { readonly on: "l4proto"; readonly is: Protocol }
  /** The destination, or source, is an address of this machine. */
  | { readonly on: "local"; readonly which: "daddr" | "saddr" }
  | { readonly on: "new connection" }
  /** The bit of MASQUERADE_MARK is set, or not. */
  | { readonly on: "mark"; readonly set: boolean }
  /** Source and destination are the same pod: it reached itself through a Service. */
  | { readonly on: "hairpin" };

/** What a rule does when its conditions hold. */
export type Statement =
  | { readonly do: "jump" | "goto"; readonly chain: string }
  /** Looks `daddr . protocol . dport` (or `protocol . dport`) up in a verdict map. */
  | { readonly do: "vmap"; readonly map: string; readonly key: "address and port" | "port" }
  /** Picks one of the backends at random. */
  | { readonly do: "dnat"; readonly to: readonly { readonly ip: string; readonly port: number }[] }
  | { readonly do: "goto one of"; readonly chains: readonly string[] }
  /** Remembers the client in a set with a timeout. */
  | { readonly do: "remember client"; readonly set: string }
  | { readonly do: "mark for masquerade" | "clear mark" | "masquerade" | "reject" | "drop" | "return" };

export interface Rule {
  readonly match: readonly Match[];
  readonly action: Statement;
  readonly comment?: string;
}

export interface Chain {
  readonly name: string;
  /** Base chains only: `type nat hook prerouting priority -100`. */
  readonly hook?: string;
  readonly rules: readonly Rule[];
}

export interface NamedSet {
  readonly name: string;
  /** After `type`/`flags`, as nft prints them. */
  readonly declaration: string;
}

export interface Element {
  readonly map: string;
  readonly key: string;
  /** Verdict of a map's element; undefined for sets. */
  readonly verdict?: string;
}

/** A part of the rule set that appears and disappears as a whole: one service port, or the frame. */
export interface Unit {
  readonly sets: readonly NamedSet[];
  readonly chains: readonly Chain[];
  readonly elements: readonly Element[];
}

/** The bit that asks for masquerading in postrouting: upstream's default. */
export const MASQUERADE_MARK = "0x4000";

/** One rule as `nft` reads it. `family` is `ip` or `ip6`. */
export function formatRule(rule: Rule, family: "ip" | "ip6"): string {
  const comment = rule.comment === undefined ? "" : ` comment "${rule.comment}"`;
  return `${[...rule.match.map((m) => formatMatch(m, family)), formatStatement(rule.action, family)].join(" ")}${comment}`;
}

function formatMatch(match: Match, family: "ip" | "ip6"): string {
  switch (match.on) {
    case "daddr":
    case "saddr":
      if ("set" in match) return `${family} saddr @${match.set}`;
      return `${family} ${match.on} ${match.not === true ? "!= " : ""}${match.in.length === 1 ? match.in[0] : `{ ${match.in.join(", ")} }`}`;
    case "l4proto":
      return `meta l4proto ${match.is.toLowerCase()}`;
    case "local":
      return `fib ${match.which} type local`;
    case "new connection":
      return "ct state new";
    case "mark":
      return `meta mark & ${MASQUERADE_MARK} ${match.set ? "!=" : "=="} 0`;
    case "hairpin":
      return `${family} saddr . ${family} daddr @hairpin`;
  }
}

function formatStatement(statement: Statement, family: "ip" | "ip6"): string {
  switch (statement.do) {
    case "jump":
    case "goto":
      return `${statement.do} ${statement.chain}`;
    case "vmap":
      return `${statement.key === "port" ? "" : `${family} daddr . `}meta l4proto . th dport vmap @${statement.map}`;
    case "dnat": {
      const to = statement.to.map(({ ip, port }) => (family === "ip6" ? `[${ip}]:${port}` : `${ip}:${port}`));
      if (to.length === 1) return `dnat to ${to[0]}`;
      const elements = statement.to.map(({ ip, port }, i) => `${i} : ${ip} . ${port}`);
      return `dnat ${family} to numgen random mod ${to.length} map { ${elements.join(", ")} }`;
    }
    case "goto one of":
      return `numgen random mod ${statement.chains.length} vmap { ${statement.chains.map((chain, i) => `${i} : goto ${chain}`).join(", ")} }`;
    case "remember client":
      return `update @${statement.set} { ${family} saddr }`;
    case "mark for masquerade":
      return `meta mark set meta mark | ${MASQUERADE_MARK}`;
    case "clear mark":
      return `meta mark set meta mark ^ ${MASQUERADE_MARK}`;
    case "masquerade":
      return "masquerade fully-random";
    case "reject":
      return "reject";
    case "drop":
      return "drop";
    case "return":
      return "return";
  }
}
