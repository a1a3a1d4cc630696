import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import type { Frame } from "../nftables/render.ts";
import { MASQUERADE_MARK } from "../nftables/ruleset.ts";
import type { Backend, ServicePort } from "../service-map.ts";

export type IptablesTable = "nat" | "filter";

/** A chain of ours with all its rules, written as after `-A <chain> `. */
export interface IptablesChain {
  readonly table: IptablesTable;
  readonly name: string;
  readonly rules: readonly string[];
}

/** A rule of ours in a chain that others share: the frame's chains, or the kernel's. */
export interface SharedRule {
  readonly table: IptablesTable;
  readonly chain: string;
  readonly rule: string;
}

/** What appears and disappears as a whole: one service port, or the frame. Shared rules keep their order. */
export interface IptablesUnit {
  readonly chains: readonly IptablesChain[];
  readonly shared: readonly SharedRule[];
}

export const SERVICES = "NAVARCH-SERVICES";
export const NODEPORTS = "NAVARCH-NODEPORTS";
export const CHECK = "NAVARCH-CHECK";
export const CHECK_SERVICES = "NAVARCH-CHK-SERVICES";
export const CHECK_NODEPORTS = "NAVARCH-CHK-NODEPORTS";
export const MARK_MASQUERADE = "NAVARCH-MARK-MASQ";
export const POSTROUTING = "NAVARCH-POSTROUTING";
const OWN_CHAIN =
  /^NAVARCH-(SERVICES|NODEPORTS|CHECK|CHK-SERVICES|CHK-NODEPORTS|MARK-MASQ|POSTROUTING|PROBE|(SVC|ALL|LOC|EXT|FWL|SEP)-[0-9A-F]{16})$/;

/** Whether a chain is one that this mode makes, in whatever run. */
export function isOwnChain(name: string): boolean {
  return OWN_CHAIN.test(name);
}

const MARK = `${MASQUERADE_MARK}/${MASQUERADE_MARK}`;

const NO_SUCH_PORT = '-m comment --comment "no such service port"';
/** A TCP client over IPv6 does not give up at "port unreachable" but asks again; a reset it believes. */
const RESET = "-j REJECT --reject-with tcp-reset";

/** What stands whatever the Services are. Service ports put their rules before none of these: the frame's chains are empty or end here. */
export function renderFrame({ family, serviceCidr }: Frame): IptablesUnit {
  const loopback = family === "ip" ? "127.0.0.0/8" : "::1/128";
  const toNodePort = `! -d ${loopback} -m addrtype --dst-type LOCAL`;
  return {
    chains: [
      { table: "nat", name: MARK_MASQUERADE, rules: [`-j MARK --or-mark ${MASQUERADE_MARK}`] },
      {
        table: "nat",
        name: POSTROUTING,
        rules: [`-m mark ! --mark ${MARK} -j RETURN`, `-j MARK --xor-mark ${MASQUERADE_MARK}`, "-j MASQUERADE --random-fully"],
      },
      { table: "nat", name: NODEPORTS, rules: [] },
      { table: "nat", name: SERVICES, rules: [`${toNodePort} -j ${NODEPORTS}`] },
      { table: "filter", name: CHECK_NODEPORTS, rules: [] },
      { table: "filter", name: CHECK_SERVICES, rules: [] },
      {
        table: "filter",
        name: CHECK,
        rules: [
          `-j ${CHECK_SERVICES}`,
          `${toNodePort} -j ${CHECK_NODEPORTS}`,
          ...(family === "ip6" ? [`-d ${serviceCidr} -p tcp ${NO_SUCH_PORT} ${RESET}`] : []),
          `-d ${serviceCidr} ${NO_SUCH_PORT} -j REJECT`,
        ],
      },
    ],
    shared: [
      { table: "nat", chain: "PREROUTING", rule: `-j ${SERVICES}` },
      { table: "nat", chain: "OUTPUT", rule: `-j ${SERVICES}` },
      { table: "nat", chain: "POSTROUTING", rule: `-j ${POSTROUTING}` },
      ...["INPUT", "FORWARD", "OUTPUT"].map(
        (chain): SharedRule => ({ table: "filter", chain, rule: `-m conntrack --ctstate NEW -j ${CHECK}` }),
      ),
    ],
  };
}

/** The rules of one service port: chains of its own, and the rules that lead there. */
export function renderServicePort(port: ServicePort, { family, podCidr }: Frame): IptablesUnit {
  const id = `${port.id}/${port.protocol}/${port.port}`;
  const protocol = port.protocol.toLowerCase();
  const comment = `-m comment --comment "${id}"`;
  const to = (dport: number) => `-p ${protocol} ${comment} -m ${protocol} --dport ${dport}`;
  const toAddress = (ip: string) => `-d ${host(ip)} ${to(port.port)}`;
  const reject = family === "ip6" && port.protocol === "TCP" ? RESET : "-j REJECT";
  const chains: IptablesChain[] = [];
  const shared: SharedRule[] = [];
  const own = (kind: "SVC" | "ALL" | "LOC" | "EXT" | "FWL") => `NAVARCH-${kind}-${digest(id)}`;

  if (port.internal.length > 0) {
    // Clients outside the pod network may not get the answer straight from the pod: they asked the service address.
    balancer("SVC", port.internal, [`! -s ${podCidr} -j ${MARK_MASQUERADE}`]);
    lead("nat", SERVICES, `${toAddress(port.clusterIP)} -j ${own("SVC")}`);
  } else {
    const verdict = port.internalPolicy === "Local" && port.cluster.length > 0 ? "-j DROP" : reject;
    lead("filter", CHECK_SERVICES, `${toAddress(port.clusterIP)} ${verdict}`);
  }

  const restricted = port.sourceRanges.length > 0 ? port.loadBalancerIPs : [];
  const open = restricted.length > 0 ? port.externalIPs : [...port.externalIPs, ...port.loadBalancerIPs];
  if (port.nodePort !== 0 || open.length + restricted.length > 0) addExternal();
  return { chains, shared };

  function addExternal() {
    if (port.cluster.length === 0 || (port.externalPolicy === "Cluster" && port.external.length === 0)) {
      for (const ip of open) lead("filter", CHECK_SERVICES, `${toAddress(ip)} ${reject}`);
      if (port.nodePort !== 0) lead("filter", CHECK_NODEPORTS, `${to(port.nodePort)} ${reject}`);
      for (const ip of restricted) {
        for (const range of port.sourceRanges) lead("filter", CHECK_SERVICES, `-s ${host(range)} ${toAddress(ip)} ${reject}`);
        lead("filter", CHECK_SERVICES, `${toAddress(ip)} -j DROP`);
      }
      return;
    }
    const rules: string[] = [];
    if (port.externalPolicy === "Local") {
      // Pods and this node reach external addresses as if the policy were Cluster (KEP-1138).
      balancer("ALL", port.cluster, []);
      rules.push(`-s ${podCidr} -j ${own("ALL")}`);
      rules.push(`-m addrtype --src-type LOCAL -j ${MARK_MASQUERADE}`);
      rules.push(`-m addrtype --src-type LOCAL -j ${own("ALL")}`);
      if (port.external.length > 0) {
        balancer("LOC", port.external, []);
        rules.push(`-j ${own("LOC")}`);
      }
    } else {
      balancer("ALL", port.external, []);
      rules.push(`-j ${MARK_MASQUERADE}`, `-j ${own("ALL")}`);
    }
    chains.push({ table: "nat", name: own("EXT"), rules });
    if (port.nodePort !== 0) lead("nat", NODEPORTS, `${to(port.nodePort)} -j ${own("EXT")}`);
    for (const ip of open) lead("nat", SERVICES, `${toAddress(ip)} -j ${own("EXT")}`);
    if (restricted.length > 0) {
      // Clients outside the ranges pass on to the address itself, and the filter table drops them.
      chains.push({ table: "nat", name: own("FWL"), rules: port.sourceRanges.map((range) => `-s ${host(range)} -j ${own("EXT")}`) });
      for (const ip of restricted) {
        lead("nat", SERVICES, `${toAddress(ip)} -j ${own("FWL")}`);
        lead("filter", CHECK_SERVICES, `${toAddress(ip)} -j DROP`);
      }
    }
    if (port.externalPolicy === "Local" && port.external.length === 0) {
      for (const ip of open) lead("filter", CHECK_SERVICES, `${toAddress(ip)} -j DROP`);
      if (port.nodePort !== 0) lead("filter", CHECK_NODEPORTS, `${to(port.nodePort)} -j DROP`);
    }
  }

  function lead(table: IptablesTable, chain: string, rule: string) {
    shared.push({ table, chain, rule });
  }

  function balancer(kind: "SVC" | "ALL" | "LOC", backends: readonly Backend[], first: readonly string[]) {
    const targets = backends.map(({ ip, port: p }) => ({ ip, port: p, chain: `NAVARCH-SEP-${digest(`${id} ${ip} ${p}`)}` }));
    for (const { ip, port: p, chain } of targets) {
      if (chains.some(({ name }) => name === chain)) continue;
      const remember = port.affinitySeconds === 0 ? "" : `-m recent --name ${chain} --set `;
      chains.push({
        table: "nat",
        name: chain,
        rules: [
          `-s ${host(ip)} -j ${MARK_MASQUERADE}`, // a pod that reaches itself
          `-p ${protocol} ${remember}-j DNAT --to-destination ${isIPv6(ip) ? `[${ip}]` : ip}:${p}`,
        ],
      });
    }
    const remembered = targets.map(
      ({ chain }) => `-m recent --name ${chain} --rcheck --seconds ${port.affinitySeconds} --reap -j ${chain}`,
    );
    const chosen = targets.map(({ chain }, i) => {
      const left = targets.length - i;
      return left === 1 ? `-j ${chain}` : `-m statistic --mode random --probability ${(1 / left).toFixed(10)} -j ${chain}`;
    });
    chains.push({ table: "nat", name: own(kind), rules: [...first, ...(port.affinitySeconds === 0 ? [] : remembered), ...chosen] });
  }
}

/** An address or a CIDR as iptables prints it. */
function host(ip: string): string {
  if (ip.includes("/")) return ip;
  return `${ip}/${isIPv6(ip) ? 128 : 32}`;
}

/** Chain names hold 28 characters, of which 16 are left for what the chain is for. */
function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16).toUpperCase();
}
