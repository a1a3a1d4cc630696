import type { Deployment, ReplicaSet } from "#machinery/api/apps-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { availableOf, byAge, desiredAnnotation, isScaled, limitsOf, maxAnnotation, sizeOf, sum } from "./replica-sets.ts";

/** New sizes by name; ReplicaSets that are not named keep theirs. */
export type Sizes = ReadonlyMap<string, number>;

export interface Sets {
  readonly deployment: Stored<Deployment>;
  readonly current: Stored<ReplicaSet> | undefined;
  readonly old: readonly Stored<ReplicaSet>[];
}

export function allOf({ current, old }: Sets): readonly Stored<ReplicaSet>[] {
  return current === undefined ? old : [...old, current];
}

/** How many pods the new ReplicaSet may have now: as many as the surge leaves room for. */
export function newSize({ deployment, current, old }: Sets): number {
  const { desired, maxSurge } = limitsOf(deployment);
  if (deployment.spec.strategy?.type === "Recreate") return desired;
  const present = current === undefined ? 0 : sizeOf(current);
  const total = sum(old, sizeOf) + present;
  const room = desired + maxSurge - total;
  return room <= 0 ? present : present + Math.max(0, Math.min(room, desired - present));
}

/** Sizes of the new ReplicaSet first; when it need not change, of the old ones. */
export function rollingSizes(sets: Sets): Sizes {
  const { deployment, current, old } = sets;
  if (current === undefined) return new Map();
  const { desired } = limitsOf(deployment);
  const wanted = sizeOf(current) > desired ? desired : newSize(sets);
  if (wanted !== sizeOf(current)) return new Map([[current.metadata.name, wanted]]);
  return shrinkOld(sets, old.toSorted(byAge));
}

/** Old ReplicaSets shrink as far as enough pods stay available; pods that are not available go first. */
function shrinkOld({ deployment, current }: Sets, old: readonly Stored<ReplicaSet>[]): Sizes {
  const { desired, maxUnavailable } = limitsOf(deployment);
  const minAvailable = desired - maxUnavailable;
  const [currentSize, currentAvailable] = current === undefined ? [0, 0] : [sizeOf(current), availableOf(current)];
  const unavailableNew = currentSize - currentAvailable;
  const mayGo = sum(old, sizeOf) + currentSize - minAvailable - unavailableNew;
  const sizes = new Map<string, number>();
  if (mayGo <= 0 || !old.some(isScaled)) return sizes;
  let cleaned = 0;
  for (const rs of old) {
    const unhealthy = Math.min(mayGo - cleaned, sizeOf(rs) - availableOf(rs));
    if (sizeOf(rs) === 0 || unhealthy <= 0) continue;
    cleaned += unhealthy;
    sizes.set(rs.metadata.name, sizeOf(rs) - unhealthy);
  }
  let spare = sum(old, availableOf) + currentAvailable - minAvailable;
  for (const rs of old) {
    const size = sizes.get(rs.metadata.name) ?? sizeOf(rs);
    const fewer = Math.min(size, spare);
    if (fewer <= 0) continue;
    spare -= fewer;
    sizes.set(rs.metadata.name, size - fewer);
  }
  return sizes;
}

/** Whether `spec.replicas` of the Deployment changed since its ReplicaSets were sized. */
export function isScalingEvent(sets: Sets): boolean {
  const { desired } = limitsOf(sets.deployment);
  return allOf(sets)
    .filter(isScaled)
    .some((rs) => (desiredAnnotation(rs) ?? desired) !== desired);
}

/** Sizes after `spec.replicas` changed in the middle of a rollout, or while it is paused: every ReplicaSet in proportion. */
export function scalingSizes(sets: Sets): Sizes {
  const { deployment, current, old } = sets;
  const { desired, maxSurge } = limitsOf(deployment);
  const active = allOf(sets).filter(isScaled);
  if (active.length <= 1) {
    const only = active[0] ?? current ?? old.toSorted(byAge).at(-1);
    return only === undefined ? new Map() : new Map([[only.metadata.name, desired]]);
  }
  const names = (list: readonly Stored<ReplicaSet>[]) => new Map(list.map((rs) => [rs.metadata.name, 0]));
  if (current !== undefined && isSaturated(deployment, current)) return names(old.filter(isScaled));
  if (deployment.spec.strategy?.type === "Recreate") return new Map();
  const allowed = desired > 0 ? desired + maxSurge : 0;
  const toAdd = allowed - sum(active, sizeOf);
  const order = active.toSorted((a, b) => sizeOf(b) - sizeOf(a) || (toAdd > 0 ? byAge(b, a) : byAge(a, b)));
  const sizes = new Map<string, number>();
  let added = 0;
  for (const rs of order) {
    const share = toAdd === 0 ? 0 : proportion(rs, deployment, toAdd, added);
    added += share;
    sizes.set(rs.metadata.name, sizeOf(rs) + share);
  }
  const [first] = order;
  if (first !== undefined && toAdd !== 0) {
    sizes.set(first.metadata.name, Math.max(0, (sizes.get(first.metadata.name) ?? 0) + toAdd - added));
  }
  return sizes;
}

function isSaturated(deployment: Deployment, rs: ReplicaSet): boolean {
  const { desired } = limitsOf(deployment);
  return sizeOf(rs) === desired && desiredAnnotation(rs) === desired && availableOf(rs) === desired;
}

function proportion(rs: ReplicaSet, deployment: Deployment, toAdd: number, added: number): number {
  const { desired, maxSurge } = limitsOf(deployment);
  const present = sizeOf(rs);
  if (present === 0) return 0;
  const rest = toAdd - added;
  if (rest === 0) return 0;
  const before = maxAnnotation(rs) || (deployment.status?.replicas ?? 0);
  const fraction = desired === 0 ? -present : before === 0 ? 0 : Math.round((present * (desired + maxSurge)) / before) - present;
  return toAdd > 0 ? Math.min(fraction, rest) : Math.max(fraction, rest);
}
