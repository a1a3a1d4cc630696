import type { PersistentVolume, PersistentVolumeClaim } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import type { ParsedLabelSelector } from "#machinery/selector.ts";
import type { PodFacts } from "../pod-facts.ts";
import type { NodeState, SnapshotView } from "../snapshot.ts";

/** What may make an unschedulable pod schedulable. */
export type ClusterChange =
  | "node added"
  | "node updated"
  | "node removed"
  | "pod placed"
  | "pod removed"
  | "pod updated"
  | "volume changed"
  | "namespace changed";

/** Facts beside nodes and pods. */
export interface ClusterFacts {
  /** The selector of the Services and the controller of this pod, for spreading; undefined: none selects it. */
  readonly spreadSelector: (pod: PodFacts) => ParsedLabelSelector | undefined;
  readonly claim: (namespace: string, name: string) => Stored<PersistentVolumeClaim> | undefined;
  readonly volume: (name: string) => Stored<PersistentVolume> | undefined;
}

export interface CycleContext {
  readonly pod: PodFacts;
  readonly snapshot: SnapshotView;
  readonly facts: ClusterFacts;
}

/** Why a node does not fit; `resolvable`: it might if other pods went. */
export interface Misfit {
  readonly reasons: readonly string[];
  readonly resolvable: boolean;
}

export type Prepared =
  /** Does not concern this pod. */
  | "skip"
  /** No node can fit. */
  | { readonly rejects: string }
  | { readonly filter: (node: NodeState) => Misfit | undefined };

/** `prepare` looks at pod and cluster once per cycle; `filter` at each node. Pure. */
export interface FilterPlugin {
  readonly name: string;
  readonly retryOn: readonly ClusterChange[];
  readonly prepare: (context: CycleContext) => Prepared;
}

/** Scores from 0 to 100, before weights. Pure. */
export interface ScorePlugin {
  readonly name: string;
  readonly weight: number;
  /** Raw scores of all candidates become final ones in `scores`; "skip": does not concern this pod. */
  readonly prepare: (
    context: CycleContext,
    candidates: readonly NodeState[],
  ) => "skip" | ((nodes: readonly NodeState[]) => readonly number[]);
}

export const MAX_SCORE = 100;

/** Scales so that the largest becomes 100; `reverse` so that the smallest does. All zero: zero, or 100 when reversed. */
export function normalized(scores: readonly number[], reverse = false): readonly number[] {
  const max = Math.max(0, ...scores);
  if (max === 0) return scores.map(() => (reverse ? MAX_SCORE : 0));
  return scores.map((score) => {
    const scaled = Math.floor((score * MAX_SCORE) / max);
    return reverse ? MAX_SCORE - scaled : scaled;
  });
}

export const unresolvable = (...reasons: readonly string[]): Misfit => ({ reasons, resolvable: false });
export const resolvable = (...reasons: readonly string[]): Misfit => ({ reasons, resolvable: true });
