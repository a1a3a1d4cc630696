import type { ClusterFacts, FilterPlugin, Misfit, ScorePlugin } from "./plugins/plugin.ts";
import type { PodFacts } from "./pod-facts.ts";
import type { NodeState, SnapshotView } from "./snapshot.ts";

export interface CycleInput {
  readonly pod: PodFacts;
  readonly snapshot: SnapshotView;
  readonly facts: ClusterFacts;
  readonly filters: readonly FilterPlugin[];
  readonly scorers: readonly ScorePlugin[];
  /** Where the search for fitting nodes begins: it moves on from pod to pod, so that all nodes get their turn. */
  readonly startAt: number;
  /** Chooses among equally good nodes: a number in [0, n). */
  readonly pick: (n: number) => number;
}

export type Decision =
  | { readonly ok: true; readonly node: string; readonly nextStart: number; readonly evaluated: number; readonly feasible: number }
  | { readonly ok: false; readonly failure: SchedulingFailure };

export interface SchedulingFailure {
  readonly nodes: number;
  /** Set when a plugin refused before looking at nodes. */
  readonly rejection: string | undefined;
  /** Reason -> nodes that gave it. */
  readonly reasons: ReadonlyMap<string, number>;
  /** Nodes that could fit if other pods went. */
  readonly resolvable: readonly NodeState[];
  readonly plugins: ReadonlySet<string>;
}

const MIN_FEASIBLE = 100;

/** How many fitting nodes are enough: all of a small cluster, a falling percentage (50 % to 5 %) of a large one. */
export function enoughFeasible(nodes: number): number {
  if (nodes < MIN_FEASIBLE) return nodes;
  const percentage = Math.max(5, 50 - Math.floor(nodes / 125));
  return Math.max(MIN_FEASIBLE, Math.floor((nodes * percentage) / 100));
}

/** One pod against one picture of the cluster. Pure: same input, same decision. */
export function schedulePod(input: CycleInput): Decision {
  const { pod, snapshot, facts, filters, startAt } = input;
  const context = { pod, snapshot, facts };
  const { nodes } = snapshot;
  const active: { readonly name: string; readonly filter: (node: NodeState) => Misfit | undefined }[] = [];
  for (const plugin of filters) {
    const prepared = plugin.prepare(context);
    if (prepared === "skip") continue;
    if ("rejects" in prepared) {
      const plugins = new Set([plugin.name]);
      return { ok: false, failure: { nodes: nodes.length, rejection: prepared.rejects, reasons: new Map(), resolvable: [], plugins } };
    }
    active.push({ name: plugin.name, filter: prepared.filter });
  }
  const enough = enoughFeasible(nodes.length);
  const feasible: NodeState[] = [];
  const reasons = new Map<string, number>();
  const resolvable: NodeState[] = [];
  const plugins = new Set<string>();
  let evaluated = 0;
  for (; evaluated < nodes.length && feasible.length < enough; evaluated++) {
    const node = nodes[(startAt + evaluated) % nodes.length];
    if (node === undefined) continue;
    const misfit = firstMisfit(node);
    if (misfit === undefined) feasible.push(node);
    else if (misfit.resolvable) resolvable.push(node);
  }
  if (feasible.length === 0) return { ok: false, failure: { nodes: nodes.length, rejection: undefined, reasons, resolvable, plugins } };
  const nextStart = (startAt + evaluated) % nodes.length;
  return { ok: true, node: best(feasible, input).name, nextStart, evaluated, feasible: feasible.length };

  function firstMisfit(node: NodeState): Misfit | undefined {
    for (const { name, filter } of active) {
      const misfit = filter(node);
      if (misfit === undefined) continue;
      plugins.add(name);
      for (const reason of misfit.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      return misfit;
    }
    return undefined;
  }
}

/** The highest total; `pick` decides between equals. */
function best(feasible: readonly NodeState[], { pod, snapshot, facts, scorers, pick }: CycleInput): NodeState {
  const [first] = feasible;
  if (first === undefined) throw new RangeError("no feasible node");
  if (feasible.length === 1) return first;
  const totals = new Float64Array(feasible.length);
  const context = { pod, snapshot, facts };
  for (const { weight, prepare } of scorers) {
    const score = prepare(context, feasible);
    if (score === "skip") continue;
    score(feasible).forEach((value, index) => {
      totals[index] = (totals[index] ?? 0) + weight * value;
    });
  }
  let highest = Number.NEGATIVE_INFINITY;
  let top: number[] = [];
  totals.forEach((total, index) => {
    if (total > highest) {
      highest = total;
      top = [index];
    } else if (total === highest) top.push(index);
  });
  return feasible[top[pick(top.length)] ?? 0] ?? first;
}
