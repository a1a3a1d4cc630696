import { backoffDelayMs } from "#base/backoff.ts";
import type { Clock } from "#base/clock.ts";
import { deferred } from "#base/deferred.ts";
import type { Entropy } from "#base/entropy.ts";
import { BugError } from "#base/invariant.ts";
import type { Log } from "#base/log.ts";
import type { Kind } from "#kinds/kind.ts";
import { type KubeObject, keyOf, type Stored } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";
import type { Client, Informer, InformerEvent, InformerOptions, Lister } from "./contract.ts";
import { createObjectCache, type ObjectCache } from "./object-cache.ts";

export interface InformerDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

export type InformerScope = Pick<InformerOptions<KubeObject>, "namespace" | "labelSelector" | "fieldSelector">;

/** One cache and watch, looked at by any number of Informer views that bring their own indexes. */
export interface SharedInformer<T extends KubeObject> {
  view(indexes: NonNullable<InformerOptions<T>["indexes"]>): Informer<T>;
  run(signal: AbortSignal): Promise<void>;
}

const PAGE = 500;
const RETRY = { baseMs: 200, maxMs: 10_000 };
/** A watch that held this long was a success, whatever ended it. */
const STABLE_MS = 20_000;
/** Watches are closed by the server after 5 to 10 minutes, as upstream's reflector asks. */
const WATCH_SECONDS = 300;

export function createSharedInformer<T extends KubeObject>(deps: InformerDeps, kind: Kind<T>, scope: InformerScope): SharedInformer<T> {
  const { client, clock, entropy, log } = deps;
  const cache: ObjectCache<T> = createObjectCache();
  const handlers: ((event: InformerEvent<T>) => void)[] = [];
  const synced = deferred();

  return {
    view(indexes) {
      const named = new Map(Object.entries(indexes).map(([name, values]) => [name, cache.index(values)]));
      const lister: Lister<T> = {
        get: (ref) =>
          cache.get(keyOf({ metadata: ref.namespace === undefined ? { name: ref.name } : { name: ref.name, namespace: ref.namespace } })),
        list: (namespace) => (namespace === undefined ? cache.all() : cache.inNamespace(namespace)),
        byIndex(name, value) {
          const index = named.get(name);
          if (index === undefined) throw new BugError(`informer of ${kind.plural} has no index "${name}"`);
          return index(value);
        },
      };
      return { kind, lister, synced: synced.promise, onEvent };
    },
    run,
  };

  function onEvent(handler: (event: InformerEvent<T>) => void): void {
    handlers.push(handler);
    for (const object of cache.all()) handler({ type: "added", object });
  }

  async function run(signal: AbortSignal): Promise<void> {
    let resume: string | undefined;
    let failures = 0;
    while (!signal.aborted) {
      const started = clock.now();
      try {
        if (resume === undefined) {
          resume = await relist(signal);
          synced.resolve();
        }
        for await (const event of client.watch<T>(kind, { ...scope, resourceVersion: resume, timeoutSeconds: watchSeconds() }, signal)) {
          failures = 0;
          if (event.type === "BOOKMARK") resume = event.resourceVersion;
          else {
            apply(event.type, event.object);
            resume = event.object.metadata.resourceVersion;
          }
        }
        failures = clock.now() - started < 1000 ? failures + 1 : 0; // a server that ends watches at once must not make us spin
      } catch (cause) {
        if (signal.aborted) return;
        if (cause instanceof BugError) throw cause;
        if (hasReason(cause, "Expired", "Gone")) resume = undefined;
        else log.warn("Cannot follow objects", { kind: kind.plural, attempt: failures, cause });
        failures = clock.now() - started < STABLE_MS ? failures + 1 : 1;
      }
      if (failures > 0) await clock.sleep(backoffDelayMs(RETRY, failures - 1) * (0.5 + entropy.fraction()), signal);
    }
  }

  function watchSeconds(): number {
    return Math.round(WATCH_SECONDS * (1 + entropy.fraction()));
  }

  /** Lists everything and applies the difference (I3). Returns the version to watch from. */
  async function relist(signal: AbortSignal): Promise<string> {
    const found = new Map<string, Stored<T>>();
    let version = "";
    let next: string | undefined;
    do {
      const page = await client.list<T>(kind, { ...scope, limit: PAGE, ...(next === undefined ? {} : { continue: next }) }, signal);
      for (const item of page.items) found.set(keyOf(item), item);
      version = page.resourceVersion;
      next = page.continue;
    } while (next !== undefined);
    for (const gone of cache.all().filter((object) => !found.has(keyOf(object)))) apply("DELETED", gone);
    for (const object of found.values()) apply("ADDED", object);
    return version;
  }

  function apply(type: "ADDED" | "MODIFIED" | "DELETED", raw: Stored<T>): void {
    const object = FREEZE ? deepFreeze(raw) : raw;
    const previous = type === "DELETED" ? cache.remove(object) : cache.put(object);
    if (type === "DELETED") {
      if (previous !== undefined) tell({ type: "deleted", object });
    } else if (previous === undefined) tell({ type: "added", object });
    else if (previous.metadata.uid !== object.metadata.uid) {
      tell({ type: "deleted", object: previous }); // deleted and made anew between two looks
      tell({ type: "added", object });
    } else if (previous.metadata.resourceVersion !== object.metadata.resourceVersion) tell({ type: "updated", object, previous });
  }

  function tell(event: InformerEvent<T>): void {
    for (const handler of handlers) {
      try {
        handler(event);
      } catch (cause) {
        throw new BugError(`handler of ${kind.plural} threw: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
      }
    }
  }
}

/** Shared objects are frozen under test, where a component that changes them should fail at once. */
const FREEZE = process.env.NODE_ENV === "test";

function deepFreeze<V>(value: V): V {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
