import type { Kind, KindRef } from "#kinds/kind.ts";
import type { KubeObject, ObjectRef, Stored } from "#machinery/object.ts";

/** What a client may send for creation: the server fills in the rest. */
export type Draft<T extends KubeObject> = Omit<T, "status"> & { readonly status?: unknown };

export type Patch =
  | { readonly type: "merge" | "strategic"; readonly body: unknown }
  | { readonly type: "json"; readonly body: readonly unknown[] }
  | { readonly type: "apply"; readonly body: unknown; readonly fieldManager: string; readonly force: boolean };

export interface ListOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Orphan" | "Background" | "Foreground";
  /** The uid of the ref is always a precondition when present. */
  readonly resourceVersion?: string;
}

export interface ListResult<T extends KubeObject> {
  readonly items: readonly Stored<T>[];
  readonly resourceVersion: string;
  readonly continue: string | undefined;
}

export type WatchEvent<T extends KubeObject> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: Stored<T> }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string; readonly initialEventsEnd: boolean };

/**
 * Typed REST over the Kubernetes API. Every method rejects with StatusError for the API's answers (machinery/status.ts) and
 * with a plain Error for transport failures; aborting `signal` rejects with its reason.
 */
export interface Client {
  get<T extends KubeObject>(kind: KindRef<T>, ref: ObjectRef, signal: AbortSignal): Promise<Stored<T>>;
  list<T extends KubeObject>(kind: KindRef<T>, options: ListOptions, signal: AbortSignal): Promise<ListResult<T>>;
  create<T extends KubeObject>(kind: KindRef<T>, object: Draft<T>, signal: AbortSignal): Promise<Stored<T>>;
  update<T extends KubeObject>(kind: KindRef<T>, object: T, signal: AbortSignal): Promise<Stored<T>>;
  updateStatus<T extends KubeObject>(kind: KindRef<T>, object: T, signal: AbortSignal): Promise<Stored<T>>;
  patch<T extends KubeObject>(
    kind: KindRef<T>,
    ref: ObjectRef,
    patch: Patch,
    options: { readonly subresource?: string },
    signal: AbortSignal,
  ): Promise<Stored<T>>;
  delete<T extends KubeObject>(kind: KindRef<T>, ref: ObjectRef, options: DeleteOptions, signal: AbortSignal): Promise<void>;
  /** POST to a subresource: `binding`, `eviction`, `token`; resolves with the answer's body. */
  createSubresource<R>(kind: KindRef, ref: ObjectRef, subresource: string, body: unknown, signal: AbortSignal): Promise<R>;
  /** PUT to a subresource (`finalize`, `approval`). */
  updateSubresource<T extends KubeObject>(kind: KindRef<T>, object: T, subresource: string, signal: AbortSignal): Promise<Stored<T>>;
  /** The stream ends when the server closes it; the caller lists or watches again. 410 rejects with StatusError Expired. */
  watch<T extends KubeObject>(
    kind: KindRef<T>,
    options: ListOptions & { readonly sendInitialEvents?: boolean; readonly timeoutSeconds?: number },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
}

/** Reads of an informer's cache. Objects are shared and must not be changed. Indexes answer in time proportional to the answer. */
export interface Lister<T extends KubeObject> {
  get(ref: { readonly name: string; readonly namespace?: string | undefined }): Stored<T> | undefined;
  list(namespace?: string): readonly Stored<T>[];
  /** By the value of an index named at creation of the informer (see InformerOptions.indexes). */
  byIndex(index: string, value: string): readonly Stored<T>[];
}

export type InformerEvent<T extends KubeObject> =
  | { readonly type: "added"; readonly object: Stored<T> }
  | { readonly type: "updated"; readonly object: Stored<T>; readonly previous: Stored<T> }
  | { readonly type: "deleted"; readonly object: Stored<T> };

export interface InformerOptions<T extends KubeObject> {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly indexes?: Readonly<Record<string, (object: Stored<T>) => readonly string[]>>;
}

/**
 * A cache of one kind that follows the server.
 *
 * I1. After `synced` the cache holds a state the server had; it moves forward only.
 * I2. Every handler sees every object's changes in order; several changes of one object may be folded into one.
 * I3. After a lost connection it resumes or lists anew with back-off; handlers then see the differences as ordinary events.
 */
export interface Informer<T extends KubeObject> {
  readonly kind: Kind<T>;
  readonly lister: Lister<T>;
  readonly synced: Promise<void>;
  /** Handlers run synchronously and must not throw. A late handler first sees the present objects as `added`. */
  onEvent(handler: (event: InformerEvent<T>) => void): void;
}

/** Informers shared by the components of one process: one watch per (kind, options). */
export interface InformerFactory {
  informer<T extends KubeObject>(kind: Kind<T>, options?: InformerOptions<T>): Informer<T>;
  /** Runs all informers, those made later too, until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Keys to look at. A key taken is not handed out again before `done`; added meanwhile, it comes again after it. */
export interface WorkQueue<K extends string = string> {
  add(key: K): void;
  addAfter(key: K, ms: number): void;
  /** With exponential back-off per key: 5 ms to 1000 s, as upstream's default rate limiter. */
  retryLater(key: K): void;
  forget(key: K): void;
  /** Resolves undefined when `signal` aborts. */
  take(signal: AbortSignal): Promise<K | undefined>;
  done(key: K): void;
  readonly length: number;
}

export interface EventNote {
  readonly about: KubeObject;
  /** The part of the object: `spec.containers{kubia}`. */
  readonly fieldPath?: string;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** Records core/v1 Events as upstream's recorder: counted and aggregated per (object, reason, message); never throws, never blocks. */
export interface EventRecorder {
  record(note: EventNote): void;
}
