import type { KubeObject } from "#machinery/object.ts";
import type { Strategy } from "./kind.ts";

interface WithStatus extends KubeObject {
  readonly status?: unknown;
}

type StatusRules<T extends KubeObject> = Required<Pick<Strategy<T>, "prepareForCreate" | "prepareForUpdate" | "prepareForStatusUpdate">>;

/** Rules of kinds whose status is written at `/status` only. `empty` is the status of a new object. */
export function ownStatus<T extends WithStatus>(empty: NonNullable<T["status"]>): StatusRules<T> {
  return {
    prepareForCreate: (object) => ({ ...object, status: empty }),
    prepareForUpdate: keepStatus,
    prepareForStatusUpdate: onlyStatus,
  };
}

/** `next` with the status there was. */
export function keepStatus<T extends WithStatus>(next: T, previous: T): T {
  const { status: _, ...rest } = next;
  return (previous.status === undefined ? rest : { ...rest, status: previous.status }) as T;
}

/** `previous` with the new status; labels and annotations may change along with it. */
export function onlyStatus<T extends WithStatus>(next: T, previous: T): T {
  const { labels, annotations } = next.metadata;
  const { labels: _labels, annotations: _annotations, ...metadata } = previous.metadata;
  const { status: _status, ...rest } = previous;
  return {
    ...rest,
    metadata: { ...metadata, ...(labels === undefined ? {} : { labels }), ...(annotations === undefined ? {} : { annotations }) },
    ...(next.status === undefined ? {} : { status: next.status }),
  } as T;
}
