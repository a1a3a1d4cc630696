import type { KubeObject } from "#machinery/object.ts";
import type { Kind } from "#kinds/kind.ts";

export interface ManagerOf {
  readonly manager: string;
  readonly now: number;
  readonly subresource?: string;
}

/** The object with managedFields that give all its fields to the creator. */
export function createdFields(_kind: Kind, object: KubeObject, _by: ManagerOf): KubeObject {
  return object;
}

/** `next` with managedFields that give what differs from `previous` to the updater. */
export function updatedFields(_kind: Kind, previous: KubeObject, next: KubeObject, _by: ManagerOf): KubeObject {
  return {
    ...next,
    metadata: {
      ...next.metadata,
      ...(previous.metadata.managedFields === undefined ? {} : { managedFields: previous.metadata.managedFields }),
    },
  };
}
