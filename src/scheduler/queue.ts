import { backoffDelayMs } from "#base/backoff.ts";
import type { Clock, Instant } from "#base/clock.ts";
import { createDelayHeap } from "#client/delay-heap.ts";
import type { ClusterChange } from "./plugins/plugin.ts";
import type { PodFacts } from "./pod-facts.ts";

export interface QueuedPod {
  readonly pod: PodFacts;
  /** Cycles it has been through, the present one included. */
  readonly attempts: number;
}

/**
 * Pods that wait for a node.
 *
 * Q1. `take` hands out the highest priority first, then the one that waits longest; a pod taken is not handed out again before
 *     `failed` or `retry`.
 * Q2. A pod that failed waits until a change that one of the plugins that refused it cares about, at most 5 minutes, and never
 *     less than its back-off (1 s, doubled per attempt, at most 10 s).
 * Q3. A change that comes while a pod is in its cycle counts as if it came right after.
 */
export interface SchedulingQueue {
  /** A pod that is new, or whose spec or labels changed: it is tried soon. */
  add(pod: PodFacts): void;
  /** Replaces the facts of a waiting pod where nothing that matters changed. */
  refresh(pod: PodFacts): void;
  remove(uid: string): void;
  failed(uid: string, plugins: ReadonlySet<string>): void;
  /** The fault was not the pod's: it is tried again after its back-off. */
  retry(uid: string): void;
  changed(change: ClusterChange): void;
  take(signal: AbortSignal): Promise<QueuedPod | undefined>;
  readonly length: number;
}

interface Entry {
  pod: PodFacts;
  attempts: number;
  since: Instant;
  state: "active" | "cycle" | "backoff" | "unschedulable";
  /** Grows with every change of state: older references to the entry are outdated. */
  turn: number;
  plugins: ReadonlySet<string>;
  backoffUntil: Instant;
  /** Changes seen during its cycle. */
  readonly seen: Set<ClusterChange>;
  /** Changed during its cycle: tried again whatever comes out. */
  again: boolean;
}

const BACKOFF = { baseMs: 1000, maxMs: 10_000 };
const UNSCHEDULABLE_MS = 300_000;

export function createSchedulingQueue(
  { clock }: { readonly clock: Clock },
  { retryOn }: { readonly retryOn: (plugin: string) => readonly ClusterChange[] },
): SchedulingQueue {
  const entries = new Map<string, Entry>();
  const active: {
    readonly uid: string;
    readonly turn: number;
    readonly priority: number;
    readonly since: Instant;
    readonly order: number;
  }[] = [];
  const delayed = createDelayHeap<string>();
  const inCycle = new Set<Entry>();
  const unschedulable = new Set<Entry>();
  let order = 0;
  let wake: (() => void) | undefined;

  return {
    add(pod) {
      const known = entries.get(pod.uid);
      if (known === undefined) {
        const entry: Entry = {
          pod,
          attempts: 0,
          since: clock.now(),
          state: "active",
          turn: 0,
          plugins: new Set(),
          backoffUntil: 0,
          seen: new Set(),
          again: false,
        };
        entries.set(pod.uid, entry);
        activate(entry);
        return;
      }
      known.pod = pod;
      if (known.state === "cycle") known.again = true;
      else if (known.state === "unschedulable") activateOrWait(known);
    },
    refresh(pod) {
      const known = entries.get(pod.uid);
      if (known !== undefined) known.pod = pod;
    },
    remove(uid) {
      const entry = entries.get(uid);
      if (entry === undefined) return;
      entries.delete(uid);
      inCycle.delete(entry);
      unschedulable.delete(entry);
    },
    failed(uid, plugins) {
      const entry = fromCycle(uid);
      if (entry === undefined) return;
      entry.plugins = plugins;
      const interesting = entry.again || [...entry.seen].some((change) => concerns(entry, change)); // Q3
      entry.again = false;
      if (interesting) activateOrWait(entry);
      else {
        enter(entry, "unschedulable");
        unschedulable.add(entry);
        delayed.add(uid, clock.now() + UNSCHEDULABLE_MS);
      }
    },
    retry(uid) {
      const entry = fromCycle(uid);
      if (entry !== undefined) activateOrWait(entry);
    },
    changed(change) {
      for (const entry of inCycle) entry.seen.add(change);
      for (const entry of unschedulable) if (concerns(entry, change)) activateOrWait(entry);
    },
    async take(signal) {
      while (!signal.aborted) {
        promote();
        const entry = pop();
        if (entry !== undefined) {
          enter(entry, "cycle");
          entry.attempts++;
          entry.seen.clear();
          inCycle.add(entry);
          return { pod: entry.pod, attempts: entry.attempts };
        }
        await wait(signal);
      }
      return undefined;
    },
    get length() {
      return entries.size;
    },
  };

  function concerns({ plugins }: Entry, change: ClusterChange): boolean {
    for (const plugin of plugins) if (retryOn(plugin).includes(change)) return true;
    return false;
  }

  /** Ends the cycle of a pod; undefined when it was removed meanwhile. */
  function fromCycle(uid: string): Entry | undefined {
    const entry = entries.get(uid);
    if (entry?.state !== "cycle") return undefined;
    inCycle.delete(entry);
    entry.backoffUntil = clock.now() + backoffDelayMs(BACKOFF, entry.attempts - 1);
    return entry;
  }

  function enter(entry: Entry, state: Entry["state"]): void {
    unschedulable.delete(entry);
    entry.state = state;
    entry.turn++;
  }

  function activateOrWait(entry: Entry): void {
    if (entry.backoffUntil <= clock.now()) activate(entry);
    else {
      enter(entry, "backoff");
      delayed.add(entry.pod.uid, entry.backoffUntil);
      wake?.();
    }
  }

  function activate(entry: Entry): void {
    enter(entry, "active");
    push({ uid: entry.pod.uid, turn: entry.turn, priority: entry.pod.priority, since: entry.since, order: order++ });
    wake?.();
  }

  function promote(): void {
    const now = clock.now();
    for (let uid = delayed.takeDue(now); uid !== undefined; uid = delayed.takeDue(now)) {
      const entry = entries.get(uid);
      if (entry === undefined) continue;
      if (entry.state === "unschedulable" || (entry.state === "backoff" && entry.backoffUntil <= now)) activate(entry);
      else if (entry.state === "backoff") delayed.add(uid, entry.backoffUntil);
    }
  }

  async function wait(signal: AbortSignal): Promise<void> {
    const timer = new AbortController();
    const due = delayed.earliest();
    await new Promise<void>((resolve) => {
      wake = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true, signal: timer.signal });
      if (due !== undefined) void clock.sleep(due - clock.now(), timer.signal).then(resolve);
    });
    wake = undefined;
    timer.abort();
  }

  function before(a: (typeof active)[number], b: (typeof active)[number]): boolean {
    if (a.priority !== b.priority) return a.priority > b.priority;
    return a.since === b.since ? a.order < b.order : a.since < b.since;
  }

  function push(item: (typeof active)[number]): void {
    active.push(item);
    for (let at = active.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      const above = active[parent];
      if (above === undefined || !before(item, above)) break;
      active[at] = above;
      active[parent] = item;
      at = parent;
    }
  }

  function pop(): Entry | undefined {
    for (;;) {
      const top = active[0];
      if (top === undefined) return undefined;
      const last = active.pop();
      if (last !== undefined && active.length > 0) sink(last);
      const entry = entries.get(top.uid);
      if (entry?.state === "active" && entry.turn === top.turn) return entry;
    }
  }

  function sink(item: (typeof active)[number]): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let below = active[child];
      const right = active[child + 1];
      if (below !== undefined && right !== undefined && before(right, below)) {
        below = right;
        child++;
      }
      if (below === undefined || !before(below, item)) break;
      active[at] = below;
      at = child;
    }
    active[at] = item;
  }
}
