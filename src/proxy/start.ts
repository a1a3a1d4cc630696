import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { hasCode } from "#base/node/files.ts";
import { openScope } from "#base/scope.ts";
import type { InformerFactory } from "#client/contract.ts";
import { withConntrack } from "./conntrack/apply.ts";
import { createHealthServer } from "./health.ts";
import { chooseMode, cleanupMode, createBackend, PROXY_MODES, type ProxyMode } from "./modes.ts";
import type { Frame } from "./nftables/render.ts";
import { type ProxyBackend, runProxy } from "./run.ts";
import { type Family, familyOf } from "./service-map.ts";

export interface ServiceProxyOptions {
  readonly nodeName: string;
  readonly nodeIp: string;
  /** Undefined: the best mode that this machine can run. */
  readonly mode: ProxyMode | undefined;
  /** One per family, as in `10.42.0.0/16,fd42::/56`. */
  readonly podCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
}

/**
 * Routes Services on this node until `signal` aborts. Rules of other modes are removed first; connections that stand keep their translation.
 * IPv6 is served where there are ranges for it and the kernel has it.
 */
export async function runServiceProxy(
  { informers, clock, log }: { readonly informers: InformerFactory; readonly clock: Clock; readonly log: Log },
  { nodeName, nodeIp, mode: asked, podCidrs, serviceCidrs }: ServiceProxyOptions,
  signal: AbortSignal,
): Promise<void> {
  const frames = (["IPv4", "IPv6"] as const).flatMap((family) => frameOf(family, podCidrs, serviceCidrs));
  const [primary, secondary] = frames;
  if (primary === undefined) throw new Error(`Cannot route Services: there is no service range in "${serviceCidrs.join(",")}", wanted one`);
  const { mode, passedOver } = await chooseMode(asked, primary, signal);
  log.info("Proxy mode chosen", { mode, asked: asked ?? "best", passedOver });
  for (const other of PROXY_MODES) {
    if (other === mode) continue;
    await cleanupMode(other, "ip", signal);
    if (await hasIPv6()) await cleanupMode(other, "ip6", signal);
  }

  await using scope = openScope(signal, log);
  const health = scope.own(createHealthServer({ log }));
  const backends: Partial<Record<Family, ProxyBackend>> = {};
  for (const frame of [primary, secondary]) {
    if (frame === undefined) continue;
    const family: Family = frame.family === "ip" ? "IPv4" : "IPv6";
    if (family === "IPv6" && !(await hasIPv6())) {
      log.warn("IPv6 Services are not routed: the kernel has no IPv6", { serviceCidr: frame.serviceCidr });
      continue;
    }
    const address = familyOf(nodeIp) === family ? nodeIp : addressOf(family);
    if (address === undefined) {
      log.warn("Services of a family are not routed: the node has no address of it", { family });
      continue;
    }
    const backend = createBackend(mode, { clock, log }, frame, address);
    scope.defer(async () => backend[Symbol.asyncDispose]?.());
    backends[family] = withConntrack(backend, { log }, { family, ...(mode === "userspace" ? { answeredBy: address } : {}) });
  }
  await runProxy({ informers, backends, health, clock, log }, { nodeName }, signal);
}

function frameOf(family: Family, podCidrs: readonly string[], serviceCidrs: readonly string[]): Frame[] {
  const podCidr = podCidrs.find((cidr) => familyOf(cidr) === family);
  const serviceCidr = serviceCidrs.find((cidr) => familyOf(cidr) === family);
  return podCidr === undefined || serviceCidr === undefined ? [] : [{ family: family === "IPv4" ? "ip" : "ip6", podCidr, serviceCidr }];
}

async function hasIPv6(): Promise<boolean> {
  try {
    return (await readFile("/proc/net/if_inet6", "utf8")).trim() !== "";
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return false;
    throw cause;
  }
}

/** An address of this node that others can reach. */
function addressOf(family: Family): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((of) => of ?? []);
  return all.find((one) => one.family === family && !one.internal && !one.address.startsWith("fe80:"))?.address;
}
