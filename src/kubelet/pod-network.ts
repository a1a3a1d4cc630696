import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { aborted } from "#base/deferred.ts";
import type { Log } from "#base/log.ts";
import { writeFileAtomic } from "#base/node/files.ts";
import type { InformerFactory } from "#client/contract.ts";
import { NodeKind } from "#kinds/core/node.ts";
import type { Node } from "#machinery/api/core-v1.ts";
import { applyEgress, applyRoutes, applySysctls } from "#network/apply.ts";
import { renderCniConfig } from "#network/cni-config.ts";
import { type NodeRoutes, planRoutes } from "#network/plan.ts";

export interface PodNetworkDeps {
  readonly informers: InformerFactory;
  readonly log: Log;
}

export interface PodNetworkOptions {
  readonly nodeName: string;
  /** Where the container runtime looks for its CNI configuration. */
  readonly cniConfDir: string;
  /** Address leases of this node's pods. */
  readonly leaseDir: string;
  readonly clusterCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
  /** The link that has the node's address. */
  readonly device: string;
}

/**
 * Sets a node up for pods as soon as it has a pod range, and keeps its routes equal to the cluster's nodes until `signal`
 * aborts. What it set stays when it ends, so that pods keep their network while the agent is away.
 */
export async function runPodNetwork({ informers, log }: PodNetworkDeps, options: PodNetworkOptions, signal: AbortSignal): Promise<void> {
  const { nodeName, cniConfDir, leaseDir, clusterCidrs, serviceCidrs, device } = options;
  const nodes = informers.informer(NodeKind);
  let changed = true;
  let wake: (() => void) | undefined;
  let configuredFor: string | undefined;

  nodes.onEvent((event) => {
    if (event.type === "updated" && sameRoutes(event.object, event.previous)) return;
    changed = true;
    wake?.();
  });
  const stopped = aborted(signal).then(() => wake?.());
  await applySysctls();
  await Promise.race([nodes.synced, stopped]);

  while (!signal.aborted) {
    if (!changed) await new Promise<void>((resolve) => (wake = resolve));
    changed = false;
    if (signal.aborted) break;
    const self = nodes.lister.get({ name: nodeName });
    const podCidrs = self === undefined ? [] : routesOf(self).podCidrs;
    if (podCidrs.length > 0 && configuredFor !== podCidrs.join()) {
      await mkdir(leaseDir, { recursive: true });
      await applyEgress({ podCidrs, withoutNat: [...clusterCidrs, ...serviceCidrs] }, { signal });
      await writeFileAtomic(join(cniConfDir, "10-navarch.conflist"), renderCniConfig({ podCidrs, leaseDir }), { mode: 0o644 });
      configuredFor = podCidrs.join();
      log.info("Pod network configured", { podCidrs });
    }
    const { changed: count, refused } = await applyRoutes(
      planRoutes(nodes.lister.list().map(routesOf), nodeName, clusterCidrs, { cidrs: serviceCidrs, device }),
      { signal },
    );
    if (count > 0) log.info("Routes applied", { changed: count });
    for (const { change, because } of refused) log.warn("Route refused by the kernel", { change, because });
  }
}

function routesOf(node: Node): NodeRoutes {
  const { podCIDRs, podCIDR } = node.spec;
  return {
    name: node.metadata.name ?? "",
    addresses: (node.status?.addresses ?? []).filter(({ type }) => type === "InternalIP").map(({ address }) => address),
    podCidrs: podCIDRs ?? (podCIDR === undefined ? [] : [podCIDR]),
  };
}

function sameRoutes(a: Node, b: Node): boolean {
  return JSON.stringify(routesOf(a)) === JSON.stringify(routesOf(b));
}
