import { ControllerRevisionKind } from "#kinds/apps/controller-revision.ts";
import type { KindRef } from "#kinds/kind.ts";
import type { ControllerRevision } from "#machinery/api/apps-v1.ts";
import type { PodTemplateSpec } from "#machinery/api/core-v1.ts";
import { deepEqual } from "#machinery/deep-equal.ts";
import { type KubeObject, refOf, type Stored } from "#machinery/object.ts";
import type { Action } from "../action.ts";
import { templateHash } from "../deployment/template-hash.ts";
import { controllerRef } from "../owners.ts";

/** On pods of DaemonSets and StatefulSets, and on the revisions of DaemonSets. */
export const POD_HASH_LABEL = "controller-revision-hash";
/** On the revisions of StatefulSets. */
export const REVISION_HASH_LABEL = "controller.kubernetes.io/hash";

/** An owner whose template is kept in ControllerRevisions. */
export type Versioned = Stored<KubeObject> & {
  readonly spec: { readonly template: PodTemplateSpec };
  readonly status?: { readonly collisionCount?: number };
};

/** The strategic merge patch that brings the template back; `rollout undo` sends it as it is. */
export function templatePatch(template: PodTemplateSpec): Readonly<Record<string, unknown>> {
  return { spec: { template: { ...template, $patch: "replace" } } };
}

/** The template a revision keeps. */
export function templateOf({ data }: ControllerRevision, otherwise: PodTemplateSpec): PodTemplateSpec {
  const spec = data?.["spec"];
  if (typeof spec !== "object" || spec === null || !("template" in spec)) return otherwise;
  const { $patch: _, ...template } = spec.template as PodTemplateSpec & { readonly $patch?: string };
  return template;
}

export function byRevision(a: Stored<ControllerRevision>, b: Stored<ControllerRevision>): number {
  if (a.revision !== b.revision) return a.revision - b.revision;
  const [x, y] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  return x === y ? (a.metadata.name < b.metadata.name ? -1 : 1) : x < y ? -1 : 1;
}

export interface RevisionStep {
  /** The revision of the present template; undefined while there is none yet. */
  readonly current: Stored<ControllerRevision> | undefined;
  /** What has to be written before anything else. */
  readonly actions: readonly Action[];
  /** Another object has the name: the collision count must go up first. */
  readonly collision: boolean;
}

/** Finds, renumbers or makes the revision of the owner's present template. It always has the highest number. */
export function presentRevision(
  owner: Versioned,
  kind: KindRef,
  hashLabel: string,
  revisions: readonly Stored<ControllerRevision>[],
  nameTaken: (name: string) => boolean,
): RevisionStep {
  const sorted = revisions.toSorted(byRevision);
  const highest = sorted.at(-1)?.revision ?? 0;
  const data = templatePatch(owner.spec.template);
  const current = sorted.findLast((revision) => deepEqual(revision.data, data));
  if (current !== undefined) {
    if (current.revision === highest) return { current, actions: [], collision: false };
    const object: ControllerRevision = { ...current, revision: highest + 1 };
    return { current, actions: [{ do: "update", kind: ControllerRevisionKind, object }], collision: false };
  }
  const hash = templateHash(owner.spec.template, owner.status?.collisionCount);
  const name = `${owner.metadata.name}-${hash}`;
  if (nameTaken(name)) return { current: undefined, actions: [], collision: true };
  const { namespace, annotations } = owner.metadata;
  const object: ControllerRevision = {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      labels: { ...owner.spec.template.metadata?.labels, [hashLabel]: hash },
      ...(annotations === undefined ? {} : { annotations }),
      ownerReferences: [controllerRef(kind, owner)],
    },
    data,
    revision: highest + 1,
  };
  return { current: undefined, actions: [{ do: "create", kind: ControllerRevisionKind, object }], collision: false };
}

/** Deletes the oldest of `unused` beyond the limit. */
export function truncateHistory(unused: readonly Stored<ControllerRevision>[], surplus: number): readonly Action[] {
  return unused
    .toSorted(byRevision)
    .slice(0, Math.max(0, surplus))
    .map((revision) => ({
      do: "delete",
      kind: ControllerRevisionKind,
      object: refOf(revision),
      because: "beyond the history limit",
    }));
}
