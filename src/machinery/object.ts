import type { ObjectMeta } from "#machinery/api/meta-v1.ts";

/** What every API object has. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** Metadata as the API server always returns it. `namespace` is absent on cluster-scoped objects only. */
export interface StoredMeta extends ObjectMeta {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
}

/** An object that came from the API server. */
export type Stored<T extends KubeObject> = T & { readonly metadata: StoredMeta };

/** Names one object: what a delete, patch or event is about. `uid` makes it a precondition. */
export interface ObjectRef {
  readonly name: string;
  /** undefined for cluster-scoped objects. */
  readonly namespace: string | undefined;
  readonly uid?: string;
}

export function refOf(object: KubeObject): ObjectRef {
  const { name, namespace, uid } = object.metadata;
  return { name: name ?? "", namespace, ...(uid === undefined ? {} : { uid }) };
}

/** `namespace/name`, or `name` for cluster-scoped objects: the key of caches and work queues. */
export function keyOf(object: { readonly metadata: { readonly name?: string; readonly namespace?: string } }): string {
  const { name = "", namespace } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}
