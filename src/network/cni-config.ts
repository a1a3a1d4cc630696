import { NetworkError } from "./error.ts";
import { parseCidr } from "./cidr.ts";

export interface CniOptions {
  /** This node's ranges, one of each family at most. The first address of each becomes the pods' gateway. */
  readonly podCidrs: readonly string[];
  /** Where host-local keeps its leases: one directory a node. */
  readonly leaseDir: string;
  /** @default 1500 */
  readonly mtu?: number;
}

/**
 * The CNI configuration of a node: a veth pair for each pod, routed by the node's kernel (docs/adr/0001), addresses from
 * the node's range, host ports, no masquerading.
 */
export function renderCniConfig({ podCidrs, leaseDir, mtu = 1500 }: CniOptions): string {
  const cidrs = podCidrs.map((text) => {
    const cidr = parseCidr(text);
    if (cidr === undefined) throw new NetworkError(`Cannot configure pod network: "${text}" is no CIDR`);
    return { text, cidr };
  });
  if (cidrs.length === 0) throw new NetworkError("Cannot configure pod network: the node has no pod CIDR, wanted at least one");
  return `${JSON.stringify(
    {
      cniVersion: "1.0.0",
      name: "navarch",
      plugins: [
        {
          type: "ptp",
          mtu,
          ipMasq: false,
          ipam: {
            type: "host-local",
            dataDir: leaseDir,
            ranges: cidrs.map(({ text }) => [{ subnet: text }]),
            routes: cidrs.map(({ cidr }) => ({ dst: cidr.family === 4 ? "0.0.0.0/0" : "::/0" })),
          },
        },
        { type: "portmap", capabilities: { portMappings: true }, snat: true },
      ],
    },
    undefined,
    2,
  )}\n`;
}
