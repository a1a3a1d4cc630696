import type { KubeObject } from "#machinery/object.ts";

/** What a hook has taken for a write: given back when the write fails. */
export interface Taken<T> {
  readonly object: T;
  readonly undo: () => void;
  /** The write is done. */
  readonly done: () => void;
}

/**
 * Steps around the writes of a kind that hands out something shared, such as service addresses. They run after admission and before
 * validation, and are undone when the write fails. With `dryRun` nothing stays taken.
 */
export interface StorageHooks<T extends KubeObject = KubeObject> {
  readonly create?: (object: T, dryRun: boolean) => Promise<Taken<T>>;
  readonly update?: (next: T, previous: T, dryRun: boolean) => Promise<Taken<T>>;
  readonly deleted?: (object: T) => void;
}
