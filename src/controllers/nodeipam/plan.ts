import { NodeKind } from "#kinds/core/node.ts";
import type { Node } from "#machinery/api/core-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import type { Action, Plan } from "../action.ts";

export interface ObservedNodes {
  readonly nodes: readonly Stored<Node>[];
  readonly range: CidrRange;
}

/** A range cut into equal parts, one per node. */
export interface CidrRange {
  readonly base: number;
  readonly prefix: number;
  readonly nodePrefix: number;
}

/** Throws where the range cannot be cut. */
export function parseCidrRange(cidr: string, nodePrefix: number): CidrRange {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(cidr);
  const numbers = match?.slice(1).map(Number) ?? [];
  const [a = -1, b = -1, c = -1, d = -1, prefix = -1] = numbers;
  if (match === null || [a, b, c, d].some((byte) => byte > 255) || prefix > nodePrefix) {
    throw new Error(
      `Cannot use cluster CIDR "${cidr}": it is no IPv4 range with room for /${nodePrefix} nodes, wanted one like 10.42.0.0/16`,
    );
  }
  const address = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
  const size = 2 ** (32 - prefix);
  return { base: address - (address % size), prefix, nodePrefix };
}

/** Gives every node without addresses for its pods the lowest free part. All nodes are planned at once: no part is given twice. */
export function planNodeCidrs({ nodes, range }: ObservedNodes): Plan {
  const used = new Set(nodes.flatMap(({ spec }) => spec.podCIDRs ?? (spec.podCIDR === undefined ? [] : [spec.podCIDR])));
  const parts = 2 ** (range.nodePrefix - range.prefix);
  let next = 0;
  const actions: Action[] = [];
  const waiting = nodes
    .filter(({ spec, metadata }) => (spec.podCIDR ?? "") === "" && metadata.deletionTimestamp === undefined)
    .toSorted((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1));
  for (const node of waiting) {
    while (next < parts && used.has(partOf(range, next))) next++;
    if (next >= parts) {
      const message = `Node ${node.metadata.name} status is now: CIDRNotAvailable`;
      actions.push({ do: "event", note: { about: node, type: "Normal", reason: "CIDRNotAvailable", message } });
      continue;
    }
    const podCIDR = partOf(range, next++);
    const patch = { type: "merge", body: { spec: { podCIDR, podCIDRs: [podCIDR] } } } as const;
    actions.push({ do: "patch", kind: NodeKind, object: refOf(node), patch, because: "needs addresses for its pods" });
  }
  return { actions };
}

function partOf({ base, nodePrefix }: CidrRange, index: number): string {
  const address = base + index * 2 ** (32 - nodePrefix);
  const bytes = [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256);
  return `${bytes.join(".")}/${nodePrefix}`;
}
