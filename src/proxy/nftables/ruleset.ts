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

/**
 * More choices than this are made by a map. Few are made one after the other: every map in a rule is a set of the table, of which the
 * kernel looks through all for each one it adds, so that 10,000 Services with a map each take 17 s instead of 1 s.
 */
const MAX_CHOICES_IN_TURN = 8;

/** One rule as `nft` reads it: one line, or one for each choice at random. `family` is `ip` or `ip6`. */
export function formatRule(rule: Rule, family: "ip" | "ip6"): readonly string[] {
  const comment = rule.comment === undefined ? "" : ` comment "${rule.comment}"`;
  const match = rule.match.map((m) => formatMatch(m, family));
  return formatStatement(rule.action, family).map((statement) => `${[...match, statement].join(" ")}${comment}`);
}

/** The first of n with a chance of 1 in n, the second with 1 in n - 1 of what is left, and so on: all are equally likely. */
function inTurn(statements: readonly string[]): string[] {
  return statements.map((statement, i) => {
    const left = statements.length - i;
    return left === 1 ? statement : `numgen random mod ${left} 0 ${statement}`;
  });
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

function formatStatement(statement: Statement, family: "ip" | "ip6"): readonly string[] {
  switch (statement.do) {
    case "jump":
    case "goto":
      return [`${statement.do} ${statement.chain}`];
    case "vmap":
      return [`${statement.key === "port" ? "" : `${family} daddr . `}meta l4proto . th dport vmap @${statement.map}`];
    case "dnat": {
      const to = statement.to.map(({ ip, port }) => (family === "ip6" ? `[${ip}]:${port}` : `${ip}:${port}`));
      if (to.length <= MAX_CHOICES_IN_TURN) return inTurn(to.map((target) => `dnat to ${target}`));
      const elements = statement.to.map(({ ip, port }, i) => `${i} : ${ip} . ${port}`);
      return [`dnat ${family} to numgen random mod ${to.length} map { ${elements.join(", ")} }`];
    }
    case "goto one of": {
      const verdicts = statement.chains.map((chain) => `goto ${chain}`);
      if (verdicts.length <= MAX_CHOICES_IN_TURN) return inTurn(verdicts);
      return [`numgen random mod ${verdicts.length} vmap { ${verdicts.map((verdict, i) => `${i} : ${verdict}`).join(", ")} }`];
    }
    case "remember client":
      return [`update @${statement.set} { ${family} saddr }`];
    case "mark for masquerade":
      return [`meta mark set meta mark | ${MASQUERADE_MARK}`];
    case "clear mark":
      return [`meta mark set meta mark ^ ${MASQUERADE_MARK}`];
    case "masquerade":
      return ["masquerade fully-random"];
    case "reject":
      // A TCP client over IPv6 does not give up at "port unreachable" but asks again; a reset it believes.
      return family === "ip6" ? ["meta l4proto tcp reject with tcp reset", "reject"] : ["reject"];
    case "drop":
    case "return":
      return [statement.do];
  }
}
