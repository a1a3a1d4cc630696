import type { Instant } from "#base/clock.ts";
import type { InformerEvent } from "#client/contract.ts";
import type { KubeObject } from "#machinery/object.ts";
import type { Written } from "./perform.ts";
import type { Watch } from "./define.ts";

/**
 * Own writes that the caches do not show yet, by the key they were made for.
 *
 * E1. A write counts from `wrote` until the cache of its kind shows it, something later, or that the object is gone.
 * E2. A write that never shows up is forgotten after 60 s, so that a lost event delays a key but never stops it.
 */
export interface Expectations {
  wrote(key: string, written: Written, now: Instant): void;
  pending(key: string, now: Instant): number;
  /** Returns the key whose last pending write this event shows. */
  saw(event: InformerEvent<KubeObject>): string | undefined;
}

const FORGET_AFTER_MS = 60_000;
const GONE_MAX = 2000;

interface Entry {
  readonly key: string;
  readonly uid: string;
  readonly at: Instant;
  /** undefined: the write was a delete. */
  readonly version: string | undefined;
}

export function createExpectations(watches: readonly Watch[]): Expectations {
  const byUid = new Map<string, Entry>();
  const byKey = new Map<string, Set<Entry>>();
  /** Objects may be gone before the answer to their writing is here. */
  const gone = new Set<string>();

  return {
    wrote(key, written, now) {
      const ref = written.type === "object" ? written.object.metadata : written.ref;
      const watch = watches.find(({ kind }) => kind.plural === written.kind.plural && kind.group === written.kind.group);
      if (watch === undefined || ref.uid === undefined) return;
      const entry: Entry = {
        key,
        uid: ref.uid,
        at: now,
        version: written.type === "object" ? written.object.metadata.resourceVersion : undefined,
      };
      if (gone.has(ref.uid)) return;
      const cached = watch.informer.lister.get({ name: ref.name, namespace: ref.namespace });
      if (entry.version === undefined && cached?.metadata.uid !== entry.uid) return; // the delete has already shown
      if (cached !== undefined && shows(cached, entry)) return;
      const older = byUid.get(entry.uid);
      if (older !== undefined) remove(older);
      byUid.set(entry.uid, entry);
      const entries = byKey.get(key);
      if (entries === undefined) byKey.set(key, new Set([entry]));
      else entries.add(entry);
    },
    pending(key, now) {
      for (const entry of byKey.get(key) ?? []) if (now - entry.at > FORGET_AFTER_MS) remove(entry); // E2
      return byKey.get(key)?.size ?? 0;
    },
    saw({ type, object }) {
      if (type === "deleted") remember(object.metadata.uid);
      const entry = byUid.get(object.metadata.uid);
      if (entry === undefined || !(type === "deleted" || shows(object, entry))) return undefined;
      remove(entry);
      return byKey.has(entry.key) ? undefined : entry.key;
    },
  };

  function remember(uid: string): void {
    gone.add(uid);
    if (gone.size <= GONE_MAX) return;
    const oldest = gone.values().next();
    if (!oldest.done) gone.delete(oldest.value);
  }

  function remove(entry: Entry): void {
    byUid.delete(entry.uid);
    const entries = byKey.get(entry.key);
    entries?.delete(entry);
    if (entries?.size === 0) byKey.delete(entry.key);
  }
}

function shows(object: KubeObject, { uid, version }: Entry): boolean {
  if (object.metadata.uid !== uid) return false;
  if (version === undefined) return object.metadata.deletionTimestamp !== undefined;
  return isAtLeast(object.metadata.resourceVersion ?? "", version);
}

/** Resource versions of one kind compare as integers (KEP-5504). */
function isAtLeast(seen: string, written: string): boolean {
  return seen.length === written.length ? seen >= written : seen.length > written.length;
}
