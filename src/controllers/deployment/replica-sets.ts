import { isDeepStrictEqual } from "node:util";
import { ReplicaSetKind } from "#kinds/apps/replica-set.ts";
import { DeploymentKind } from "#kinds/apps/deployment.ts";
import type { Deployment, ReplicaSet } from "#machinery/api/apps-v1.ts";
import type { PodTemplateSpec } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import type { Action } from "../action.ts";
import { controllerRef } from "../owners.ts";
import { templateHash } from "./template-hash.ts";

const HASH_LABEL = "pod-template-hash";
export const REVISION = "deployment.kubernetes.io/revision";
const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";
const DESIRED = "deployment.kubernetes.io/desired-replicas";
const MAX = "deployment.kubernetes.io/max-replicas";
const NOT_COPIED: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  REVISION,
  REVISION_HISTORY,
  DESIRED,
  MAX,
  "deprecated.deployment.rollback.to",
]);

export interface Limits {
  readonly desired: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
}

/** Absolute numbers of a rolling update; both 0 would never move, so one may then be unavailable. */
export function limitsOf({ spec }: Deployment): Limits {
  const desired = spec.replicas ?? 1;
  if (spec.strategy?.type === "Recreate") return { desired, maxSurge: 0, maxUnavailable: 0 };
  const { maxSurge = "25%", maxUnavailable = "25%" } = spec.strategy?.rollingUpdate ?? {};
  const surge = absolute(maxSurge, desired, Math.ceil);
  const unavailable = absolute(maxUnavailable, desired, Math.floor);
  return { desired, maxSurge: surge, maxUnavailable: surge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, desired) };
}

function absolute(value: number | string, total: number, round: (n: number) => number): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent === undefined ? Number(value) || 0 : round((Number(percent) * total) / 100);
}

export const sizeOf = (rs: ReplicaSet): number => rs.spec.replicas ?? 1;
export const availableOf = (rs: ReplicaSet): number => rs.status?.availableReplicas ?? 0;
export const sum = (sets: readonly ReplicaSet[], number: (rs: ReplicaSet) => number): number =>
  sets.reduce((total, rs) => total + number(rs), 0);
export const isScaled = (rs: ReplicaSet): boolean => sizeOf(rs) > 0;

export function byAge(a: Stored<ReplicaSet>, b: Stored<ReplicaSet>): number {
  const [x, y] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  return x === y ? (a.metadata.name < b.metadata.name ? -1 : 1) : x < y ? -1 : 1;
}

export function revisionOf({ metadata }: ReplicaSet | Deployment): number {
  const revision = Number(metadata.annotations?.[REVISION] ?? "0");
  return Number.isSafeInteger(revision) ? revision : 0;
}

export function desiredAnnotation({ metadata }: ReplicaSet): number | undefined {
  return annotated(metadata.annotations?.[DESIRED]);
}

export function maxAnnotation({ metadata }: ReplicaSet): number | undefined {
  return annotated(metadata.annotations?.[MAX]);
}

function annotated(text: string | undefined): number | undefined {
  const value = Number(text);
  return text === undefined || !Number.isSafeInteger(value) ? undefined : value;
}

/** The oldest ReplicaSet that has the Deployment's template. */
export function newReplicaSetOf(deployment: Deployment, sets: readonly Stored<ReplicaSet>[]): Stored<ReplicaSet> | undefined {
  return sets.toSorted(byAge).find((rs) => sameTemplate(rs.spec.template, deployment.spec.template));
}

function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec): boolean {
  return isDeepStrictEqual(comparable(a ?? {}), comparable(b));
}

function comparable({ metadata = {}, spec }: PodTemplateSpec): unknown {
  const { [HASH_LABEL]: _, ...labels } = metadata.labels ?? {};
  return { labels, annotations: { ...metadata.annotations }, finalizers: metadata.finalizers ?? [], spec };
}

export function newReplicaSetName(deployment: Stored<Deployment>): { readonly name: string; readonly hash: string } {
  const hash = templateHash(deployment.spec.template, deployment.status?.collisionCount);
  return { name: `${deployment.metadata.name}-${hash}`, hash };
}

/** Creates the ReplicaSet of the present template with `replicas` pods. */
export function createNewReplicaSet(deployment: Stored<Deployment>, replicas: number, revision: number): Action {
  const { name, hash } = newReplicaSetName(deployment);
  const { template, selector, minReadySeconds } = deployment.spec;
  const { namespace } = deployment.metadata;
  const object: ReplicaSet = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...template.metadata?.labels, [HASH_LABEL]: hash },
      annotations: { ...copied(deployment), ...sizes(deployment), [REVISION]: String(revision) },
      ownerReferences: [controllerRef(DeploymentKind, deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector?.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels: { ...template.metadata?.labels, [HASH_LABEL]: hash } } },
    },
  };
  const message = `Scaled up replica set ${name} from 0 to ${replicas}`;
  return {
    do: "create",
    kind: ReplicaSetKind,
    object,
    ...(replicas > 0 ? { tell: { about: deployment, type: "Normal", reason: "ScalingReplicaSet", message } } : {}),
  };
}

/** Sets the size, and the annotations that proportional scaling reads; nothing where both are right. */
export function scaleReplicaSet(deployment: Stored<Deployment>, rs: Stored<ReplicaSet>, replicas: number): readonly Action[] {
  const annotations = { ...rs.metadata.annotations, ...sizes(deployment) };
  const before = sizeOf(rs);
  if (before === replicas && isDeepStrictEqual({ ...rs.metadata.annotations }, annotations)) return [];
  const object: ReplicaSet = { ...rs, metadata: { ...rs.metadata, annotations }, spec: { ...rs.spec, replicas } };
  const message = `Scaled ${replicas > before ? "up" : "down"} replica set ${rs.metadata.name} from ${before} to ${replicas}`;
  return [
    {
      do: "update",
      kind: ReplicaSetKind,
      object,
      ...(before === replicas ? {} : { tell: { about: deployment, type: "Normal", reason: "ScalingReplicaSet", message } }),
    },
  ];
}

/** Brings revision, copied annotations and minReadySeconds of the present ReplicaSet up to date. */
export function refreshNewReplicaSet(deployment: Stored<Deployment>, rs: Stored<ReplicaSet>, revision: number): readonly Action[] {
  const present = rs.metadata.annotations ?? {};
  const next: Record<string, string> = { ...present, ...copied(deployment), ...sizes(deployment) };
  const before = revisionOf(rs);
  if (before < revision) {
    next[REVISION] = String(revision);
    if (before > 0) {
      const history = (present[REVISION_HISTORY] ?? "").split(",").filter((old) => old !== "");
      next[REVISION_HISTORY] = [...history, String(before)].join(",");
    }
  }
  const { minReadySeconds } = deployment.spec;
  if (isDeepStrictEqual({ ...present }, next) && (rs.spec.minReadySeconds ?? 0) === (minReadySeconds ?? 0)) return [];
  const { minReadySeconds: _, ...spec } = rs.spec;
  const object: ReplicaSet = {
    ...rs,
    metadata: { ...rs.metadata, annotations: next },
    spec: { ...spec, ...(minReadySeconds === undefined ? {} : { minReadySeconds }) },
  };
  return [{ do: "update", kind: ReplicaSetKind, object }];
}

function copied({ metadata }: Deployment): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([key]) => !NOT_COPIED.has(key)));
}

function sizes(deployment: Deployment): Record<string, string> {
  const { desired, maxSurge } = limitsOf(deployment);
  return { [DESIRED]: String(desired), [MAX]: String(desired + maxSurge) };
}
