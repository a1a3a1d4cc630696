import type { DeleteOptions, Draft, EventNote, Patch } from "#client/contract.ts";
import type { KindRef } from "#kinds/kind.ts";
import type { KubeObject, ObjectRef } from "#machinery/object.ts";

/** Events about the owner that tell how a create or delete went: `Created pod: kubia-abcde`, `Error creating: ...`. */
export interface Announcement {
  readonly about: KubeObject;
  readonly done: string;
  readonly failed: string;
  /** What the object is called: `pod`. */
  readonly noun: string;
  /** Other texts than `Created pod: x` and `Error creating: why`; the reason is put after `failed`. */
  readonly wording?: { readonly done: string; readonly failed: string };
}

/** Everything a controller can do. A plan holds no action that is only right if an earlier one succeeded. */
export type Action =
  | {
      readonly do: "create";
      readonly kind: KindRef;
      readonly object: Draft<KubeObject>;
      readonly announce?: Announcement;
      /** Recorded when it was done. */
      readonly tell?: EventNote;
      /** Somebody else made it: that is as good. */
      readonly orExists?: true;
    }
  | {
      readonly do: "delete";
      readonly kind: KindRef;
      readonly object: ObjectRef;
      readonly because: string;
      readonly options?: DeleteOptions;
      readonly announce?: Announcement;
    }
  | {
      readonly do: "patch";
      readonly kind: KindRef;
      readonly object: ObjectRef;
      readonly patch: Patch;
      readonly because: string;
      readonly subresource?: string;
    }
  /** Replaces an object that was read before; a change in between is a conflict, and the key is looked at again. */
  | {
      readonly do: "update";
      readonly kind: KindRef;
      readonly object: KubeObject;
      readonly subresource?: string;
      /** Recorded when it was done. */
      readonly tell?: EventNote;
    }
  | { readonly do: "event"; readonly note: EventNote };

export interface Plan {
  readonly actions: readonly Action[];
  /** Look again after this time even if nothing changes. */
  readonly recheckAfterMs?: number | undefined;
}

export const NOTHING_TO_DO: Plan = { actions: [] };

export function updateStatus(kind: KindRef, object: KubeObject): Action {
  return { do: "update", kind, object, subresource: "status" };
}
