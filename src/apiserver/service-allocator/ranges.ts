import { containsCidr, formatIp, type IpAddress, type IpFamily, parseCidr, parseIp, widthOf } from "#kinds/ip.ts";
import { required } from "#base/invariant.ts";

/** The addresses of one CIDR that Services may have: all but the network's own and, for IPv4, the broadcast address. */
export interface IpRange {
  readonly family: IpFamily;
  readonly cidr: string;
  /** How many there are, counted no further than allocation ever looks. */
  readonly size: number;
  /** Offsets below are handed out last: they are for Services that ask for a certain address. */
  readonly staticSize: number;
  at(offset: number): string;
  contains(ip: string): boolean;
}

const MOST = 65_536;

/** Pure. `cidr` has been checked. */
export function parseIpRange(cidr: string): IpRange {
  const parsed = required(parseCidr(cidr), `service CIDR ${cidr}`);
  const { family, bits } = parsed.address;
  const hostBits = widthOf(family) - parsed.prefix;
  const total = hostBits >= 17 ? MOST + 2 : 2 ** hostBits;
  const size = Math.max(0, total - (family === "IPv4" ? 2 : 1));
  const base = (bits >> BigInt(hostBits)) << BigInt(hostBits);
  const last = base + (1n << BigInt(hostBits)) - 1n;
  return {
    family,
    cidr,
    size,
    staticSize: size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 16)), 256),
    at: (offset) => formatIp({ family, bits: base + 1n + BigInt(offset) }),
    contains: (text) => {
      const ip: IpAddress | undefined = parseIp(text);
      if (ip === undefined || ip.family !== family) return false;
      if (!containsCidr(parsed, { address: ip, prefix: widthOf(family) })) return false;
      return ip.bits !== base && (family === "IPv6" || ip.bits !== last);
    },
  };
}

export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** Ports below this offset are handed out last. */
export function staticPorts({ from, to }: PortRange): number {
  const size = to - from + 1;
  return size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / 32)), 128);
}

/** A free number of [0, size): at random from the part above `staticSize`, then in order from anywhere; undefined when none is free. */
export function pickFree(
  size: number,
  staticSize: number,
  isTaken: (offset: number) => boolean,
  fraction: () => number,
): number | undefined {
  for (const [from, to] of [
    [staticSize, size],
    [0, staticSize],
  ] as const) {
    const span = to - from;
    if (span <= 0) continue;
    const start = Math.floor(fraction() * span);
    for (let i = 0; i < span; i++) {
      const offset = from + ((start + i) % span);
      if (!isTaken(offset)) return offset;
    }
  }
  return undefined;
}
