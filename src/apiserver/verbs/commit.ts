import { requestEntityTooLarge } from "../http/limits.ts";
import type { KubeObject } from "#machinery/object.ts";
import { conflict } from "#machinery/status.ts";
import type { Commit, Key, Revision } from "#store/contract.ts";
import type { Entry } from "#store/watch-hub.ts";
import type { Resource } from "../resource.ts";
import type { Served } from "../served.ts";

/** Upstream's etcd accepts requests up to 1.5 MiB; an object must fit into one. */
const MAX_OBJECT_BYTES = 1_572_864;

/** The object as it would be stored, as an entry that answers can be made of; nothing is written. */
export function dryEntry(resource: Resource, key: Key, object: KubeObject, current: Entry | undefined): Entry {
  const value = resource.encode(object);
  if (current !== undefined) return resource.entryOf(key, value, current.revision);
  const { labels, fields } = resource.entryOf(key, value, 0 as Revision);
  return { key, revision: 0 as Revision, bytes: value, labels, fields };
}

/**
 * Writes one object and waits until this server's cache shows it, so that everybody reads what was acknowledged. Undefined where the
 * key is not as expected; the caller reads again.
 */
export async function commitPut(
  { store }: Served,
  resource: Resource,
  key: Key,
  object: KubeObject,
  expect: Revision | "absent",
  signal: AbortSignal,
): Promise<Entry | undefined> {
  const value = resource.encode(object);
  if (value.length > MAX_OBJECT_BYTES) throw requestEntityTooLarge(`etcdserver: request is too large`);
  const commit = await store.commit({ put: key, value, expect });
  if (!commit.ok) {
    await catchUp(resource, commit, signal);
    return undefined;
  }
  await resource.cache.waitFor(commit.revision, signal);
  const shown = resource.cache.get(key);
  // Decoded once already, unless somebody has written again meanwhile.
  return shown?.revision === commit.revision ? shown : resource.entryOf(key, value, commit.revision);
}

/** The last state with the deletion's revision, or undefined where the key is not as expected. */
export async function commitDelete(
  { store }: Served,
  resource: Resource,
  entry: Entry,
  expect: Revision,
  signal: AbortSignal,
): Promise<Entry | undefined> {
  const commit = await store.commit({ delete: entry.key, expect });
  if (!commit.ok) {
    await catchUp(resource, commit, signal);
    return undefined;
  }
  await resource.cache.waitFor(commit.revision, signal);
  return { ...entry, revision: commit.revision, bytes: resource.rebase(entry, commit.revision) };
}

/** After a lost race: the cache sees at least what beat us. */
async function catchUp(resource: Resource, commit: Commit & { readonly ok: false }, signal: AbortSignal): Promise<void> {
  if (commit.current !== undefined) await resource.cache.waitFor(commit.current.modRevision, signal);
  else await resource.fresh(signal);
}

/** How often a write without a precondition of its own starts over when others write the same object. */
export const MAX_ATTEMPTS = 50;

export function tooManyConflicts(resource: Resource, name: string) {
  return conflict(resource.name, name, "the object has been modified; please apply your changes to the latest version and try again");
}
