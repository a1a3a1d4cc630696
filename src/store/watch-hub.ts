import type { Key, Revision } from "./contract.ts";

/** What selectors and field selectors look at, kept beside the bytes so that matching parses nothing. */
export interface Facets {
  readonly labels: Readonly<Record<string, string>>;
  /** Selectable fields by path: `metadata.name`, `spec.nodeName`, ... */
  readonly fields: Readonly<Record<string, string>>;
}

/** One object as clients see it: canonical JSON bytes with its resourceVersion spliced in once per write. */
export interface Entry extends Facets {
  readonly key: Key;
  readonly revision: Revision;
  readonly bytes: Uint8Array;
}

export type HubEvent =
  | { readonly type: "ADDED" | "MODIFIED"; readonly entry: Entry; readonly previous: Entry | undefined; readonly revision: Revision }
  /** `entry` holds the last state with the deletion's resourceVersion. */
  | { readonly type: "DELETED"; readonly entry: Entry; readonly previous: Entry; readonly revision: Revision };

export interface HubOptions {
  /** Turns stored bytes into what clients see; called once per write. */
  readonly decode: (key: Key, value: Uint8Array, revision: Revision) => { readonly bytes: Uint8Array } & Facets;
  /** Events kept for watchers that come back with an older revision. @default 4096 per prefix */
  readonly history?: number;
  /** A watcher more than this many events behind is ended. @default 16384 */
  readonly backlog?: number;
}

export type WatchMessage =
  | { readonly type: "event"; readonly event: HubEvent }
  /** Everything at or below `revision` has been delivered. */
  | { readonly type: "progress"; readonly revision: Revision }
  /** The watcher fell behind or asked for a revision that is gone. The stream ends after it. */
  | { readonly type: "expired"; readonly reason: string };

/** A consistent snapshot of one prefix, ordered by key bytes. */
export interface Snapshot {
  readonly revision: Revision;
  readonly entries: readonly Entry[];
}

/**
 * All current objects under one key prefix, in memory, and their changes.
 *
 * W1. A watcher opened at revision R receives every change in (R, now], in revision order, exactly once.
 * W2. No order is promised between watchers.
 * W3. A watcher more than `backlog` events behind is ended with `expired`; others are never slowed by it.
 * W4. After `progress` with revision B no event <= B follows.
 * W5. `waitFor(R)` resolves once the cache has seen R, so that `list` after it reads one's own writes.
 */
export interface ResourceCache {
  /** The revision the cache is at. */
  revision(): Revision;
  get(key: Key): Entry | undefined;
  /** Entries whose key begins with `prefix`, which is this cache's prefix or longer. */
  list(prefix: string): Snapshot;
  waitFor(revision: Revision, signal: AbortSignal): Promise<void>;
  /** `after` undefined begins with synthetic ADDED events of the current state (then a progress message). */
  watch(prefix: string, after: Revision | undefined, signal: AbortSignal): AsyncIterable<WatchMessage>;
}

/** One cache per prefix, made on first use and kept. */
export interface WatchHub extends AsyncDisposable {
  cache(prefix: string, options: HubOptions): Promise<ResourceCache>;
}
