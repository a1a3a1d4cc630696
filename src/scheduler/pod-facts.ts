import type { Pod, PodAffinityTerm, Toleration } from "#machinery/api/core-v1.ts";
import { matchesNodeSelector } from "#kinds/core/node-selector.ts";
import { keyOf, type Stored } from "#machinery/object.ts";
import { formatLabelSelector, labelSelectorFrom, matchesLabels, type ParsedLabelSelector, selectorFromMap } from "#machinery/selector.ts";
import { requestsOf, type Resources, scoredRequestsOf } from "./resources.ts";

type Labels = Readonly<Record<string, string>>;

/** A pod as the plugins need it, read once: everything that does not change while it waits. */
export interface PodFacts {
  readonly pod: Stored<Pod>;
  readonly key: string;
  readonly uid: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly priority: number;
  readonly requests: Resources;
  readonly scoredRequests: { readonly cpu: number; readonly memory: number };
  readonly tolerations: readonly Toleration[];
  readonly hostPorts: readonly HostPort[];
  readonly terminating: boolean;
  /** Required: node name -> labels -> fits. Undefined: every node does. */
  readonly nodeFits: ((name: string, labels: Labels) => boolean) | undefined;
  readonly affinity: readonly AffinityTerm[];
  readonly antiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly WeightedTerm[];
}

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

export interface AffinityTerm {
  readonly topologyKey: string;
  readonly selector: ParsedLabelSelector;
  /** Names; undefined with `namespaceSelector` alone. */
  readonly namespaces: ReadonlySet<string>;
  readonly namespaceSelector: ParsedLabelSelector | undefined;
  /** Equal for terms that match the same pods. */
  readonly id: string;
}

export interface WeightedTerm {
  readonly term: AffinityTerm;
  /** Negative for anti-affinity. */
  readonly weight: number;
}

export function podFacts(pod: Stored<Pod>): PodFacts {
  const { spec, metadata } = pod;
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {};
  const term = (candidate: PodAffinityTerm) => affinityTerm(candidate, metadata.namespace ?? "", metadata.labels ?? {});
  const weighted = (sign: 1 | -1) => (candidate: { readonly weight: number; readonly podAffinityTerm: PodAffinityTerm }) => ({
    term: term(candidate.podAffinityTerm),
    weight: sign * candidate.weight,
  });
  return {
    pod,
    key: keyOf(pod),
    uid: metadata.uid,
    namespace: metadata.namespace ?? "",
    labels: metadata.labels ?? {},
    priority: spec.priority ?? 0,
    requests: requestsOf(pod),
    scoredRequests: scoredRequestsOf(pod),
    tolerations: spec.tolerations ?? [],
    hostPorts: hostPortsOf(pod),
    terminating: metadata.deletionTimestamp !== undefined,
    nodeFits: nodeFitsOf(pod),
    affinity: (podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(term),
    antiAffinity: (podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(term),
    preferredAffinity: [
      ...(podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(weighted(1)),
      ...(podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(weighted(-1)),
    ],
  };
}

function hostPortsOf({ spec }: Pod): readonly HostPort[] {
  const containers = [...spec.containers, ...(spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always")];
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort = 0, hostIP, protocol = "TCP" }) =>
      hostPort > 0 ? [{ ip: hostIP === undefined || hostIP === "" ? "0.0.0.0" : hostIP, protocol, port: hostPort }] : [],
    ),
  );
}

function nodeFitsOf({ spec }: Pod): PodFacts["nodeFits"] {
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const hasSelector = spec.nodeSelector !== undefined && Object.keys(spec.nodeSelector).length > 0;
  if (!hasSelector && required === undefined) return undefined;
  const selector = hasSelector ? selectorFromMap(spec.nodeSelector) : undefined;
  return (name, labels) =>
    (selector === undefined || matchesLabels(selector, labels)) && (required === undefined || matchesNodeSelector(required, name, labels));
}

function affinityTerm(term: PodAffinityTerm, namespace: string, labels: Labels): AffinityTerm {
  const { namespaces = [], namespaceSelector, topologyKey } = term;
  const selector = withLabelKeys(labelSelectorFrom(term.labelSelector), labels, term.matchLabelKeys, term.mismatchLabelKeys);
  const names = new Set(namespaces.length === 0 && namespaceSelector === undefined ? [namespace] : namespaces);
  const among = namespaceSelector === undefined ? undefined : labelSelectorFrom(namespaceSelector);
  return {
    topologyKey,
    selector,
    namespaces: names,
    namespaceSelector: among,
    id: selectionId([...names], among, selector),
  };
}

export function selectionId(namespaces: readonly string[], among: ParsedLabelSelector | undefined, selector: ParsedLabelSelector): string {
  const text = (parsed: ParsedLabelSelector | undefined) =>
    parsed === undefined ? null : parsed.nothing === true ? false : formatLabelSelector(parsed);
  return JSON.stringify([namespaces, text(among), text(selector)]);
}

/** Adds the pod's own values of these labels to the selector. */
export function withLabelKeys(
  selector: ParsedLabelSelector,
  labels: Labels,
  match: readonly string[] = [],
  mismatch: readonly string[] = [],
): ParsedLabelSelector {
  const requirement = (key: string, operator: "in" | "notin") => {
    const value = labels[key];
    return value === undefined ? [] : [{ key, operator, values: [value] } as const];
  };
  const more = [...match.flatMap((key) => requirement(key, "in")), ...mismatch.flatMap((key) => requirement(key, "notin"))];
  return more.length === 0 ? selector : { ...selector, requirements: [...selector.requirements, ...more] };
}
