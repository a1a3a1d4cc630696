import { type Frame, renderFrame } from "../nftables/render.ts";
import type { Unit } from "../nftables/ruleset.ts";
import type { Backend, ServicePort } from "../service-map.ts";

/** The one table of this mode, per family. */
export const TABLE = "navarch-userspace";

/** Which endpoints a listener of ours serves: there is one for each list of a service port that is used. */
export type Road = "internal" | "external" | "cluster";
export const ROADS: readonly Road[] = ["internal", "external", "cluster"];

/** Which listeners a service port needs; those of empty lists are not opened, so that the kernel can reject or drop. */
export function roadsOf(port: ServicePort): readonly Road[] {
  if (port.protocol === "SCTP") return [];
  const outside = port.nodePort !== 0 || port.externalIPs.length > 0 || port.loadBalancerIPs.length > 0;
  const used = (road: Road) => road === "internal" || (outside && (road === "external" || port.externalPolicy === "Local"));
  return ROADS.filter((road) => port[road].length > 0 && used(road));
}

/**
 * The same service port as nftables mode would render it, with our listeners in place of the endpoints. They are on the node's own address:
 * a plain redirect would send each client to an address of the link it came by, and answers to UDP would leave from another.
 * SCTP has no listeners here and becomes a port without endpoints, which rejects.
 */
export function behindListeners(port: ServicePort, address: string, listening: ReadonlyMap<Road, number>): ServicePort {
  const through = (road: Road): readonly Backend[] => {
    const local = listening.get(road);
    if (port.protocol === "SCTP") return [];
    // A list without a listener leads nowhere; that it is not empty tells "drop" from "reject".
    return local === undefined ? port[road].map((backend) => ({ ...backend, local: false })) : [{ ip: address, port: local, local: false }];
  };
  return { ...port, affinitySeconds: 0, internal: through("internal"), external: through("external"), cluster: through("cluster") };
}

/** The frame of nftables mode without masquerading: nothing is forwarded, endpoints see this node as the client. */
export function renderUserspaceFrame(frame: Frame): Unit {
  const unit = renderFrame(frame);
  return { ...unit, chains: unit.chains.filter(({ name }) => name !== "nat-postrouting" && name !== "masquerading") };
}
