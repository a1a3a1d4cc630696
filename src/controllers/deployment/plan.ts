import type { Instant } from "#base/clock.ts";
import { DeploymentKind } from "#kinds/apps/deployment.ts";
import { ReplicaSetKind } from "#kinds/apps/replica-set.ts";
import type { Deployment, ReplicaSet } from "#machinery/api/apps-v1.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import { isEverything, labelSelectorFrom } from "#machinery/selector.ts";
import { type Action, type Plan, updateStatus } from "../action.ts";
import { claim } from "../owners.ts";
import { isFinished } from "../pods.ts";
import {
  createNewReplicaSet,
  newReplicaSetName,
  newReplicaSetOf,
  refreshNewReplicaSet,
  REVISION,
  revisionOf,
  scaleReplicaSet,
  sizeOf,
} from "./replica-sets.ts";
import { allOf, isScalingEvent, newSize, rollingSizes, scalingSizes, type Sets, type Sizes } from "./rollout.ts";
import { isComplete, progressOf, type Told } from "./status.ts";

export interface ObservedDeployment {
  readonly deployment: Stored<Deployment>;
  /** ReplicaSets it controls and those of its namespace without controller. */
  readonly replicaSets: readonly Stored<ReplicaSet>[];
  readonly podsOf: (rs: Stored<ReplicaSet>) => readonly Stored<Pod>[];
  /** Whether another ReplicaSet has this name. */
  readonly nameTaken: (name: string) => boolean;
  /** Why the latest attempt to create a ReplicaSet failed. */
  readonly failure: { readonly reason: string; readonly message: string } | undefined;
  readonly now: Instant;
}

export function planDeployment(observed: ObservedDeployment): Plan {
  const { deployment, replicaSets, failure, now } = observed;
  const selector = labelSelectorFrom(deployment.spec.selector);
  if (isEverything(selector)) {
    const message = "This deployment is selecting all pods. A non-empty selector is required.";
    return { actions: [{ do: "event", note: { about: deployment, type: "Warning", reason: "SelectingAll", message } }] };
  }
  const { claimed, actions } = claim(deployment, DeploymentKind, selector, ReplicaSetKind, replicaSets);
  if (actions.length > 0) return { actions }; // what it owns is settled first; the rest follows when the caches show it
  const current = newReplicaSetOf(deployment, claimed);
  const sets: Sets = { deployment, current, old: claimed.filter((rs) => rs !== current) };
  const step = deployment.metadata.deletionTimestamp === undefined ? nextStep(sets, observed) : { actions: [] };
  const told = failure === undefined ? (step.told ?? {}) : { progressing: failedCreate(deployment, failure.message) };
  const progress = progressOf(sets, told, now);
  const status: readonly Action[] = step.annotated
    ? [] // the status is written to the next version of the object
    : progress.changed
      ? [updateStatus(DeploymentKind, { ...deployment, status: progress.status } as Stored<Deployment>)]
      : [];
  return { actions: [...step.actions, ...status], recheckAfterMs: progress.recheckAfterMs };
}

interface Step {
  readonly actions: readonly Action[];
  readonly told?: Told;
  /** The Deployment itself was changed. */
  readonly annotated?: true;
}

/** The one change that is due: later ones are decided when its effect shows. */
function nextStep(sets: Sets, observed: ObservedDeployment): Step {
  const { deployment, current, old } = sets;
  const revision = Math.max(0, ...old.map(revisionOf)) + 1;
  const scaling = isScalingEvent(sets);
  if (deployment.spec.paused === true || scaling) {
    const sizes = resize(sets, scalingSizes(sets));
    return sizes.length > 0 ? { actions: sizes } : { actions: deployment.spec.paused === true ? cleanUp(sets) : [] };
  }
  if (deployment.spec.strategy?.type === "Recreate") {
    const shrunk = resize(sets, new Map(old.filter((rs) => sizeOf(rs) > 0).map((rs) => [rs.metadata.name, 0])));
    if (shrunk.length > 0) return { actions: shrunk };
    if (old.some((rs) => observed.podsOf(rs).some((pod) => !isFinished(pod)))) return { actions: [] };
  }
  if (current === undefined) return createStep(sets, observed, revision);
  const refreshed = refreshNewReplicaSet(deployment, current, Math.max(revision, revisionOf(current)));
  if (refreshed.length > 0) return { actions: refreshed };
  const annotated = annotateRevision(deployment, revisionOf(current));
  if (annotated !== undefined) return { actions: [annotated], annotated: true };
  const told: Told = (deployment.status?.conditions ?? []).some(({ type }) => type === "Progressing")
    ? {}
    : { progressing: { status: "True", reason: "FoundNewReplicaSet", message: `Found new replica set "${current.metadata.name}"` } };
  const sizes = deployment.spec.strategy?.type === "Recreate" ? new Map([[current.metadata.name, newSize(sets)]]) : rollingSizes(sets);
  const resized = resize(sets, sizes);
  if (resized.length > 0) return { actions: resized, told };
  return { actions: isComplete(deployment, progressOf(sets, told, observed.now).status) ? cleanUp(sets) : [], told };
}

function createStep(sets: Sets, { nameTaken }: ObservedDeployment, revision: number): Step {
  const { deployment } = sets;
  const { name } = newReplicaSetName(deployment);
  if (nameTaken(name)) {
    const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
    const status = { ...deployment.status, collisionCount };
    return { actions: [updateStatus(DeploymentKind, { ...deployment, status } as Stored<Deployment>)], annotated: true };
  }
  return {
    actions: [createNewReplicaSet(deployment, newSize(sets), revision)],
    told: { progressing: { status: "True", reason: "NewReplicaSetCreated", message: `Created new replica set "${name}"` } },
  };
}

function failedCreate(deployment: Stored<Deployment>, why: string): NonNullable<Told["progressing"]> {
  const { name } = newReplicaSetName(deployment);
  return { status: "False", reason: "ReplicaSetCreateError", message: `Failed to create new replica set "${name}": ${why}` };
}

function annotateRevision(deployment: Stored<Deployment>, revision: number): Action | undefined {
  if (revisionOf(deployment) === revision) return undefined;
  const patch = { type: "merge", body: { metadata: { annotations: { [REVISION]: String(revision) } } } } as const;
  return { do: "patch", kind: DeploymentKind, object: refOf(deployment), patch, because: "its revision changed" };
}

function resize(sets: Sets, sizes: Sizes): readonly Action[] {
  return allOf(sets).flatMap((rs) => {
    const size = sizes.get(rs.metadata.name);
    return size === undefined ? [] : scaleReplicaSet(sets.deployment, rs, size);
  });
}

/** Deletes old, empty ReplicaSets beyond the history limit, lowest revisions first. */
function cleanUp({ deployment, old }: Sets): readonly Action[] {
  const limit = deployment.spec.revisionHistoryLimit;
  if (limit === undefined) return [];
  const alive = old.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  return alive
    .toSorted((a, b) => revisionOf(a) - revisionOf(b))
    .slice(0, Math.max(0, alive.length - limit))
    .filter(
      (rs) => sizeOf(rs) === 0 && (rs.status?.replicas ?? 0) === 0 && (rs.metadata.generation ?? 0) <= (rs.status?.observedGeneration ?? 0),
    )
    .map((rs) => ({ do: "delete", kind: ReplicaSetKind, object: refOf(rs), because: "beyond the history limit" }));
}
