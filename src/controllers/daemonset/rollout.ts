import type { Instant } from "#base/clock.ts";
import type { DaemonSet } from "#machinery/api/apps-v1.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { POD_HASH_LABEL } from "../controllerrevisions/revisions.ts";
import { untilAvailableMs } from "../pods.ts";
import type { Eligibility } from "./nodes.ts";

export interface OnNode extends Eligibility {
  readonly node: string;
  readonly pods: readonly Stored<Pod>[];
}

/** Percentages of the nodes that should run a pod, rounded up. */
export function scaledUp(value: number | string, total: number): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent === undefined ? 0 : Math.ceil((Number(percent) * total) / 100);
}

export function surgeOf({ spec }: DaemonSet, desired: number): number {
  return spec.updateStrategy?.type === "OnDelete" ? 0 : scaledUp(spec.updateStrategy?.rollingUpdate?.maxSurge ?? 0, desired);
}

/** The next pods to replace: old ones go first, or with surge new ones come first. */
export function rollingChanges(
  set: Stored<DaemonSet>,
  places: readonly OnNode[],
  hash: string,
  now: Instant,
): { readonly create: readonly string[]; readonly remove: readonly Stored<Pod>[] } {
  const desired = places.filter(({ shouldRun }) => shouldRun).length;
  const maxSurge = surgeOf(set, desired);
  const asked = scaledUp(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, desired);
  const maxUnavailable = maxSurge === 0 && asked === 0 ? 1 : asked;
  const isAvailable = (pod: Pod) => untilAvailableMs(pod, set.spec.minReadySeconds ?? 0, now) === 0;
  const occupied = places.filter(({ shouldRun, pods }) => shouldRun || pods.length > 0);
  const pairs = occupied.map(({ node, pods }) => ({ node, ...pairOf(pods, hash) }));
  return maxSurge > 0 ? surgeChanges(pairs, maxSurge, isAvailable) : deleteChanges(pairs, maxUnavailable, isAvailable);
}

interface Pair {
  readonly node: string;
  readonly old: Stored<Pod> | undefined;
  readonly updated: Stored<Pod> | undefined;
  /** More than one of a kind: that is settled first. */
  readonly crowded: boolean;
}

function pairOf(pods: readonly Stored<Pod>[], hash: string): Omit<Pair, "node"> {
  const staying = pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const updated = staying.filter(({ metadata }) => metadata.labels?.[POD_HASH_LABEL] === hash);
  const old = staying.filter((pod) => !updated.includes(pod));
  return { old: old[0], updated: updated[0], crowded: old.length > 1 || updated.length > 1 };
}

type Test = (pod: Pod) => boolean;

function deleteChanges(pairs: readonly Pair[], maxUnavailable: number, isAvailable: Test) {
  let unavailable = 0;
  const broken: Stored<Pod>[] = [];
  const candidates: Stored<Pod>[] = [];
  for (const { old, updated, crowded } of pairs) {
    if (crowded || (old === undefined) === (updated === undefined)) unavailable++;
    else if (updated !== undefined) unavailable += isAvailable(updated) ? 0 : 1;
    else if (old !== undefined && isAvailable(old)) candidates.push(old);
    else if (old !== undefined) {
      unavailable++;
      broken.push(old); // replacing it costs nothing
    }
  }
  return { create: [], remove: [...broken, ...candidates.slice(0, Math.max(0, maxUnavailable - unavailable))] };
}

function surgeChanges(pairs: readonly Pair[], maxSurge: number, isAvailable: Test) {
  let surging = 0;
  const remove: Stored<Pod>[] = [];
  const broken: string[] = [];
  const candidates: string[] = [];
  for (const { node, old, updated, crowded } of pairs) {
    if (crowded) surging++;
    else if (old === undefined) continue;
    else if (updated === undefined) (isAvailable(old) ? candidates : broken).push(node);
    else if (!isAvailable(old)) remove.push(old);
    else {
      surging++;
      if (isAvailable(updated)) remove.push(old);
    }
  }
  return { create: [...broken, ...candidates.slice(0, Math.max(0, maxSurge - surging))], remove };
}
