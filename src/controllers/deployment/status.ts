import { isDeepStrictEqual } from "node:util";
import { formatTime, type Instant } from "#base/clock.ts";
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from "#machinery/api/apps-v1.ts";
import { availableOf, limitsOf, sizeOf, sum } from "./replica-sets.ts";
import { allOf, type Sets } from "./rollout.ts";

export interface Progress {
  readonly status: DeploymentStatus;
  readonly changed: boolean;
  /** When a rollout that does not move will have missed its deadline. */
  readonly recheckAfterMs: number | undefined;
}

const NO_DEADLINE = 2 ** 31 - 1;

export interface Told {
  /** Just created or found in this pass. */
  readonly progressing?: Pick<DeploymentCondition, "status" | "reason" | "message">;
}

export function progressOf(sets: Sets, told: Told, now: Instant): Progress {
  const { deployment } = sets;
  const before = deployment.status ?? {};
  const numbers = numbersOf(sets);
  let conditions = withCondition(before.conditions ?? [], availability(deployment, numbers), now);
  if (told.progressing !== undefined && hasDeadline(deployment)) {
    conditions = withCondition(conditions, { type: "Progressing", ...told.progressing }, now);
  }
  conditions = pauseCondition(deployment, conditions, now);
  if (deployment.spec.paused !== true) conditions = rolloutConditions(sets, numbers, conditions, now);
  const { collisionCount } = before;
  const status: DeploymentStatus = {
    ...numbers,
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions,
  };
  return {
    status,
    changed: !isDeepStrictEqual(comparable(status), comparable(before)),
    recheckAfterMs: stuckAfterMs(deployment, numbers, conditions, now),
  };
}

const COUNTS = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas", "terminatingReplicas"] as const;

function comparable(status: DeploymentStatus): unknown {
  const { observedGeneration, conditions = [], collisionCount } = status;
  return [observedGeneration, COUNTS.map((count) => status[count] ?? 0), conditions.map((condition) => ({ ...condition })), collisionCount];
}

function numbersOf(sets: Sets): DeploymentStatus {
  const { deployment, current } = sets;
  const all = allOf(sets);
  const available = sum(all, availableOf);
  const numbers: Record<string, number> = {
    replicas: sum(all, ({ status }) => status?.replicas ?? 0),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum(all, ({ status }) => status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(all, sizeOf) - available),
  };
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== 0)),
    terminatingReplicas: sum(all, ({ status }) => status?.terminatingReplicas ?? 0),
  };
}

type Facts = Pick<DeploymentCondition, "type" | "status" | "reason" | "message">;

function availability(deployment: Deployment, { availableReplicas = 0 }: DeploymentStatus): Facts {
  const { desired, maxUnavailable } = limitsOf(deployment);
  return availableReplicas >= desired - maxUnavailable
    ? { type: "Available", status: "True", reason: "MinimumReplicasAvailable", message: "Deployment has minimum availability." }
    : {
        type: "Available",
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      };
}

/** Sets a condition; one with the same status and reason stays as it is, as upstream does. */
function withCondition(conditions: readonly DeploymentCondition[], facts: Facts, now: Instant): readonly DeploymentCondition[] {
  const known = conditions.find(({ type }) => type === facts.type);
  if (known?.status === facts.status && known.reason === facts.reason) return conditions;
  return replaced(conditions, facts, known?.status === facts.status ? known.lastTransitionTime : undefined, now);
}

function replaced(
  conditions: readonly DeploymentCondition[],
  facts: Facts,
  transition: string | undefined,
  now: Instant,
): readonly DeploymentCondition[] {
  const time = formatTime(now);
  return [
    ...conditions.filter(({ type }) => type !== facts.type),
    { ...facts, lastUpdateTime: time, lastTransitionTime: transition ?? time },
  ];
}

export const hasDeadline = ({ spec }: Deployment): boolean =>
  spec.progressDeadlineSeconds !== undefined && spec.progressDeadlineSeconds !== NO_DEADLINE;

function progressing(conditions: readonly DeploymentCondition[]): DeploymentCondition | undefined {
  return conditions.find(({ type }) => type === "Progressing");
}

function pauseCondition(deployment: Deployment, conditions: readonly DeploymentCondition[], now: Instant): readonly DeploymentCondition[] {
  const known = progressing(conditions);
  if (!hasDeadline(deployment) || known?.reason === "ProgressDeadlineExceeded") return conditions;
  const paused = deployment.spec.paused === true;
  if (paused && known?.reason !== "DeploymentPaused") {
    return withCondition(
      conditions,
      { type: "Progressing", status: "Unknown", reason: "DeploymentPaused", message: "Deployment is paused" },
      now,
    );
  }
  if (!paused && known?.reason === "DeploymentPaused") {
    return withCondition(
      conditions,
      { type: "Progressing", status: "Unknown", reason: "DeploymentResumed", message: "Deployment is resumed" },
      now,
    );
  }
  return conditions;
}

function rolloutConditions(
  sets: Sets,
  numbers: DeploymentStatus,
  before: readonly DeploymentCondition[],
  now: Instant,
): readonly DeploymentCondition[] {
  const { deployment, current } = sets;
  let conditions = before;
  const known = progressing(conditions);
  const settled = (numbers.replicas ?? 0) === (numbers.updatedReplicas ?? 0) && known?.reason === "NewReplicaSetAvailable";
  if (hasDeadline(deployment) && !settled) {
    const what = current === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${current.metadata.name}"`;
    if (isComplete(deployment, numbers)) {
      conditions = withCondition(
        conditions,
        { type: "Progressing", status: "True", reason: "NewReplicaSetAvailable", message: `${what} has successfully progressed.` },
        now,
      );
    } else if (hasProgressed(deployment.status ?? {}, numbers)) {
      const facts = { type: "Progressing", status: "True", reason: "ReplicaSetUpdated", message: `${what} is progressing.` };
      // The update time moves with every step: the deadline counts from the latest.
      conditions = replaced(conditions, facts, known?.status === "True" ? known.lastTransitionTime : undefined, now);
    } else if (isTimedOut(deployment, known, now)) {
      conditions = withCondition(
        conditions,
        { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message: `${what} has timed out progressing.` },
        now,
      );
    }
  }
  const failure = failureOf(current) ?? sets.old.map(failureOf).find((found) => found !== undefined);
  if (failure === undefined) return conditions.filter(({ type }) => type !== "ReplicaFailure");
  const { type, status, reason, message } = failure;
  return withCondition(
    conditions,
    { type, status, ...(reason === undefined ? {} : { reason }), ...(message === undefined ? {} : { message }) },
    now,
  );
}

function failureOf(rs: ReplicaSet | undefined): DeploymentCondition | undefined {
  return rs?.status?.conditions?.find(({ type }) => type === "ReplicaFailure");
}

export function isComplete(deployment: Deployment, numbers: DeploymentStatus): boolean {
  const { desired } = limitsOf(deployment);
  return (
    (numbers.updatedReplicas ?? 0) === desired &&
    (numbers.replicas ?? 0) === desired &&
    (numbers.availableReplicas ?? 0) === desired &&
    (numbers.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function hasProgressed(before: DeploymentStatus, now: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus) => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (now.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(now) < old(before) ||
    (now.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (now.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

function isTimedOut({ spec }: Deployment, known: DeploymentCondition | undefined, now: Instant): boolean {
  if (known === undefined || known.reason === "NewReplicaSetAvailable") return false;
  if (known.reason === "ProgressDeadlineExceeded") return true;
  return Date.parse(known.lastUpdateTime ?? "") + (spec.progressDeadlineSeconds ?? NO_DEADLINE) * 1000 < now;
}

function stuckAfterMs(
  deployment: Deployment,
  numbers: DeploymentStatus,
  conditions: readonly DeploymentCondition[],
  now: Instant,
): number | undefined {
  const known = progressing(conditions);
  if (!hasDeadline(deployment) || known === undefined || deployment.spec.paused === true || isComplete(deployment, numbers))
    return undefined;
  if (known.reason === "ProgressDeadlineExceeded" || known.reason === "NewReplicaSetAvailable") return undefined;
  const due = Date.parse(known.lastUpdateTime ?? "") + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000;
  return Number.isNaN(due) ? undefined : Math.max(0, due - now) + 1000;
}
