import type { Node } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { matchesLabels, type ParsedLabelSelector } from "#machinery/selector.ts";
import { type AffinityTerm, type PodFacts, selectionId } from "./pod-facts.ts";
import { add, type Resources, resourcesFrom } from "./resources.ts";

/** A node and what is on it, pods that are only assumed to be there included. */
export interface NodeState {
  readonly name: string;
  readonly node: Stored<Node>;
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: Resources;
  readonly requested: Resources;
  readonly scoredRequested: { readonly cpu: number; readonly memory: number };
  readonly pods: ReadonlyMap<string, PodFacts>;
  /** `TCP 8080` -> addresses in use. */
  readonly hostPorts: ReadonlyMap<string, readonly string[]>;
}

/** Pods matched by a selection, counted per node: kept up to date while pods come and go. */
export type NodeCounts = ReadonlyMap<string, number>;

export interface Selection {
  readonly namespaces: ReadonlySet<string>;
  readonly namespaceSelector: ParsedLabelSelector | undefined;
  readonly selector: ParsedLabelSelector;
}

/** What a scheduling cycle reads. */
export interface SnapshotView {
  readonly nodes: readonly NodeState[];
  node(name: string): NodeState | undefined;
  /** Matching pods that are not being deleted, per node. Repeated questions are answered from kept counts. */
  counts(selection: Selection): NodeCounts;
  selects(selection: Selection, pod: PodFacts): boolean;
  /** Pods on nodes that have required anti-affinity, and those with preferences. */
  readonly repelling: ReadonlyMap<string, { readonly pod: PodFacts; readonly node: string }>;
  readonly preferring: ReadonlyMap<string, { readonly pod: PodFacts; readonly node: string }>;
}

/**
 * The scheduler's picture of the cluster, changed in place as events come in.
 *
 * S1. A pod counts on one node at most: placing it elsewhere moves it.
 * S2. Pods of a node that is not (or no longer) known are kept and count as soon as the node is.
 */
export interface Snapshot extends SnapshotView {
  setNode(node: Stored<Node>): void;
  removeNode(name: string): void;
  place(pod: PodFacts, node: string): void;
  remove(uid: string): void;
  setNamespace(name: string, labels: Readonly<Record<string, string>> | undefined): void;
}

interface MutableNode extends NodeState {
  node: Stored<Node>;
  labels: Readonly<Record<string, string>>;
  allocatable: Resources;
  readonly requested: Record<string, number>;
  readonly scoredRequested: { cpu: number; memory: number };
  readonly pods: Map<string, PodFacts>;
  readonly hostPorts: Map<string, string[]>;
}

const COUNTS_MAX = 256;

export function createSnapshot(): Snapshot {
  const byName = new Map<string, MutableNode>();
  let nodes: MutableNode[] = [];
  const placed = new Map<string, { readonly pod: PodFacts; readonly node: string }>();
  const byNode = new Map<string, Map<string, PodFacts>>();
  const repelling = new Map<string, { readonly pod: PodFacts; readonly node: string }>();
  const preferring = new Map<string, { readonly pod: PodFacts; readonly node: string }>();
  const namespaces = new Map<string, Readonly<Record<string, string>>>();
  const kept = new Map<string, { readonly selection: Selection; readonly counts: Map<string, number> }>();

  return {
    get nodes() {
      return nodes;
    },
    node: (name) => byName.get(name),
    repelling,
    preferring,
    selects,
    counts,

    setNode(node) {
      const { name, labels = {} } = node.metadata;
      const allocatable = resourcesFrom(node.status?.allocatable ?? node.status?.capacity);
      const known = byName.get(name);
      if (known !== undefined) {
        Object.assign(known, { node, labels, allocatable });
        return;
      }
      const state: MutableNode = {
        name,
        node,
        labels,
        allocatable,
        requested: {},
        scoredRequested: { cpu: 0, memory: 0 },
        pods: new Map(),
        hostPorts: new Map(),
      };
      byName.set(name, state);
      nodes.push(state);
      for (const pod of byNode.get(name)?.values() ?? []) occupy(state, pod); // S2
    },

    removeNode(name) {
      if (byName.delete(name)) nodes = nodes.filter((state) => state.name !== name);
    },

    place(pod, node) {
      const before = placed.get(pod.uid);
      if (before !== undefined) unplace(pod.uid); // S1
      const at = { pod, node };
      placed.set(pod.uid, at);
      const onNode = byNode.get(node);
      if (onNode === undefined) byNode.set(node, new Map([[pod.uid, pod]]));
      else onNode.set(pod.uid, pod);
      if (pod.antiAffinity.length > 0) repelling.set(pod.uid, at);
      if (pod.preferredAffinity.length > 0 || pod.affinity.length > 0) preferring.set(pod.uid, at);
      const state = byName.get(node);
      if (state !== undefined) occupy(state, pod);
      for (const { selection, counts } of kept.values()) if (countable(selection, pod)) change(counts, node, 1);
    },

    remove: unplace,

    setNamespace(name, labels) {
      if (labels === undefined) namespaces.delete(name);
      else namespaces.set(name, labels);
      for (const [id, { selection }] of kept) if (selection.namespaceSelector !== undefined) kept.delete(id);
    },
  };

  function unplace(uid: string): void {
    const at = placed.get(uid);
    if (at === undefined) return;
    placed.delete(uid);
    repelling.delete(uid);
    preferring.delete(uid);
    const onNode = byNode.get(at.node);
    onNode?.delete(uid);
    if (onNode?.size === 0) byNode.delete(at.node);
    const state = byName.get(at.node);
    if (state !== undefined) vacate(state, at.pod);
    for (const { selection, counts } of kept.values()) if (countable(selection, at.pod)) change(counts, at.node, -1);
  }

  function counts(selection: Selection): NodeCounts {
    const id = selectionId([...selection.namespaces], selection.namespaceSelector, selection.selector);
    let entry = kept.get(id);
    if (entry === undefined) {
      entry = { selection, counts: new Map() };
      for (const { pod, node } of placed.values()) if (countable(selection, pod)) change(entry.counts, node, 1);
      if (kept.size >= COUNTS_MAX) {
        const oldest = kept.keys().next();
        if (!oldest.done) kept.delete(oldest.value);
      }
    } else kept.delete(id); // moves to the young end
    kept.set(id, entry);
    return entry.counts;
  }

  function countable(selection: Selection, pod: PodFacts): boolean {
    return !pod.terminating && selects(selection, pod);
  }

  function selects({ namespaces: names, namespaceSelector, selector }: Selection, pod: PodFacts): boolean {
    const inside =
      names.has(pod.namespace) || (namespaceSelector !== undefined && matchesLabels(namespaceSelector, namespaces.get(pod.namespace)));
    return inside && matchesLabels(selector, pod.labels);
  }
}

/** The pods that a term of pod affinity is about. */
export function selectionOf({ namespaces, namespaceSelector, selector }: AffinityTerm): Selection {
  return { namespaces, namespaceSelector, selector };
}

function occupy(state: MutableNode, pod: PodFacts): void {
  state.pods.set(pod.uid, pod);
  add(state.requested, pod.requests);
  state.scoredRequested.cpu += pod.scoredRequests.cpu;
  state.scoredRequested.memory += pod.scoredRequests.memory;
  for (const { ip, protocol, port } of pod.hostPorts) {
    const key = `${protocol} ${port}`;
    state.hostPorts.set(key, [...(state.hostPorts.get(key) ?? []), ip]);
  }
}

function vacate(state: MutableNode, pod: PodFacts): void {
  if (!state.pods.delete(pod.uid)) return;
  add(state.requested, pod.requests, -1);
  state.scoredRequested.cpu -= pod.scoredRequests.cpu;
  state.scoredRequested.memory -= pod.scoredRequests.memory;
  for (const { ip, protocol, port } of pod.hostPorts) {
    const key = `${protocol} ${port}`;
    const rest = [...(state.hostPorts.get(key) ?? [])];
    rest.splice(rest.indexOf(ip), 1);
    if (rest.length === 0) state.hostPorts.delete(key);
    else state.hostPorts.set(key, rest);
  }
}

function change(counts: Map<string, number>, node: string, by: number): void {
  const next = (counts.get(node) ?? 0) + by;
  if (next === 0) counts.delete(node);
  else counts.set(node, next);
}
