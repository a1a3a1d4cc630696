import { BlockList, isIPv6 } from "node:net";

/** A first packet of a connection, as the node's kernel sees it arrive or leave. */
export interface Packet {
  readonly saddr: string;
  readonly daddr: string;
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly dport: number;
  /** Made by a process of this node (output hook) or received (prerouting hook). */
  readonly from: "node" | "network";
}

export interface Fate {
  readonly verdict: "delivered" | "dnat" | "reject" | "drop";
  /** Every destination that a random choice allows, as `ip:port` or `[ip]:port`. */
  readonly to: readonly string[];
  /** Whether the source address is replaced, for at least one of them. */
  readonly masquerade: boolean;
}

/** How a destination is written in a Fate. */
export function formatTarget(ip: string, port: number): string {
  return isIPv6(ip) ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** Whether an address lies in a CIDR, or equals an address. */
export function contains(cidr: string, ip: string): boolean {
  if (isIPv6(cidr.split("/")[0] ?? "") !== isIPv6(ip)) return false;
  const family = isIPv6(ip) ? "ipv6" : "ipv4";
  const [base = "", bits = family === "ipv6" ? "128" : "32"] = cidr.split("/");
  const list = new BlockList();
  list.addSubnet(base, Number(bits), family);
  return list.check(ip, family);
}
