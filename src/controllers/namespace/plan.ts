import { formatTime, type Instant } from "#base/clock.ts";
import { NamespaceKind } from "#kinds/core/namespace.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { KindRef } from "#kinds/kind.ts";
import type { Namespace, NamespaceCondition } from "#machinery/api/core-v1.ts";
import { type KubeObject, refOf, type Stored } from "#machinery/object.ts";
import { NOTHING_TO_DO, type Action, type Plan, updateStatus } from "../action.ts";

export interface NamespaceContent {
  readonly kind: KindRef;
  readonly objects: readonly Stored<KubeObject>[];
}

export interface ObservedNamespace {
  readonly namespace: Stored<Namespace>;
  /** Everything in it; kinds without objects may be left out. */
  readonly content: readonly NamespaceContent[];
  readonly now: Instant;
}

const KUBERNETES = "kubernetes";
const RECHECK_MS = 500;

/** Empties a namespace that is being deleted, pods first, then lets go of it. */
export function planNamespace({ namespace, content, now }: ObservedNamespace): Plan {
  const { metadata, spec } = namespace;
  if (metadata.deletionTimestamp === undefined || !(spec.finalizers ?? []).includes(KUBERNETES)) return NOTHING_TO_DO;
  const remaining = content.filter(({ objects }) => objects.length > 0);
  if (remaining.length === 0) {
    const object: Namespace = {
      ...namespace,
      spec: { ...spec, finalizers: (spec.finalizers ?? []).filter((name) => name !== KUBERNETES) },
    };
    return { actions: [{ do: "update", kind: NamespaceKind, object, subresource: "finalize" }] };
  }
  // Pods may use what else is here until they have ended (KEP-5080).
  const pods = remaining.filter(({ kind }) => kind.plural === PodKind.plural && kind.group === PodKind.group);
  const deletes = (pods.length > 0 ? pods : remaining).flatMap(({ kind, objects }) =>
    objects
      .filter((object) => object.metadata.deletionTimestamp === undefined)
      .map(
        (object): Action => ({
          do: "delete",
          kind,
          object: refOf(object),
          because: "its namespace is deleted",
          options: { propagationPolicy: "Background" },
        }),
      ),
  );
  const conditions = mergeConditions(namespace.status?.conditions ?? [], conditionsFor(remaining), formatTime(now));
  const sameStatus = conditions === namespace.status?.conditions && namespace.status?.phase === "Terminating";
  const status: Action[] = sameStatus
    ? []
    : [
        updateStatus(NamespaceKind, {
          ...namespace,
          status: { ...namespace.status, phase: "Terminating", conditions },
        } as Stored<Namespace>),
      ];
  return { actions: [...deletes, ...status], recheckAfterMs: RECHECK_MS };
}

type Told = Omit<NamespaceCondition, "lastTransitionTime">;

function conditionsFor(remaining: readonly NamespaceContent[]): readonly Told[] {
  const finalizers = new Map<string, number>();
  for (const { objects } of remaining) {
    for (const { metadata } of objects) for (const name of metadata.finalizers ?? []) finalizers.set(name, (finalizers.get(name) ?? 0) + 1);
  }
  const counts = remaining
    .map(({ kind, objects }) => `${kind.plural}${kind.group === "" ? "." : `.${kind.group}`} has ${objects.length} resource instances`)
    .sort();
  const held = [...finalizers].map(([name, count]) => `${name} in ${count} resource instances`).sort();
  return [
    {
      type: "NamespaceDeletionDiscoveryFailure",
      status: "False",
      reason: "ResourcesDiscovered",
      message: "All resources successfully discovered",
    },
    {
      type: "NamespaceDeletionGroupVersionParsingFailure",
      status: "False",
      reason: "ParsedGroupVersions",
      message: "All legacy kube types successfully parsed",
    },
    {
      type: "NamespaceDeletionContentFailure",
      status: "False",
      reason: "ContentDeleted",
      message: "All content successfully deleted, may be waiting on finalization",
    },
    {
      type: "NamespaceContentRemaining",
      status: "True",
      reason: "SomeResourcesRemain",
      message: `Some resources are remaining: ${counts.join(", ")}`,
    },
    held.length === 0
      ? {
          type: "NamespaceFinalizersRemaining",
          status: "False",
          reason: "ContentHasNoFinalizers",
          message: "All content-preserving finalizers finished",
        }
      : {
          type: "NamespaceFinalizersRemaining",
          status: "True",
          reason: "SomeFinalizersRemain",
          message: `Some content in the namespace has finalizers remaining: ${held.join(", ")}`,
        },
  ];
}

/** The present list itself where nothing changes. */
function mergeConditions(present: readonly NamespaceCondition[], told: readonly Told[], time: string): readonly NamespaceCondition[] {
  const known = (type: string) => present.find((condition) => condition.type === type);
  const same = told.every(({ type, status, reason, message }) => {
    const before = known(type);
    return before?.status === status && before.reason === reason && before.message === message;
  });
  if (same) return present;
  const others = present.filter(({ type }) => !told.some((condition) => condition.type === type));
  return [
    ...others,
    ...told.map((condition) => {
      const before = known(condition.type);
      return { ...condition, lastTransitionTime: before?.status === condition.status ? (before.lastTransitionTime ?? time) : time };
    }),
  ];
}
