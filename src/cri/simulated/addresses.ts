/** Hands out IPv4 addresses of a CIDR, lowest first, without the network's own, the gateway's (first) and the broadcast address. */
export interface Addresses {
  /** undefined: all are taken. */
  take(): string | undefined;
  release(address: string): void;
}

export function createAddresses(cidr: string): Addresses {
  const [network, length] = cidr.split("/");
  const size = 2 ** (32 - Number(length));
  const octets = (network ?? "").split(".").map(Number);
  if (octets.length !== 4 || octets.some((octet) => !(octet >= 0 && octet <= 255)) || !(size >= 4)) {
    throw new RangeError(`Cannot simulate pod network "${cidr}": it is no IPv4 CIDR with room for pods, wanted one such as 10.42.0.0/24`);
  }
  const base = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  const first = base - (base % size);
  const taken = new Set<number>();
  let next = 2;
  return {
    take() {
      for (let tried = 0; tried < size - 3; tried++) {
        const offset = next;
        next = next + 1 >= size - 1 ? 2 : next + 1; // reuse as late as possible, as host-local does
        if (taken.has(offset)) continue;
        taken.add(offset);
        return format(first + offset);
      }
      return undefined;
    },
    release(address) {
      taken.delete(address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0) - first);
    },
  };
}

function format(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}
