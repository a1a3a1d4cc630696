import type { Kind } from "#kinds/kind.ts";
import type { KubeObject, Stored } from "#machinery/object.ts";
import type { ResourceName } from "#machinery/status.ts";
import type { Key, Revision, Store } from "#store/contract.ts";
import type { Allocate, Entry, ResourceCache, WatchHub } from "#store/watch-hub.ts";
import { encodeObject, withResourceVersion } from "#machinery/schema/encode.ts";
import { decodeStored } from "./codec.ts";
import { conversionOf } from "./conversion/registry.ts";
import { decodeSkeleton } from "./skeleton.ts";

/**
 * One kind and its place in the store.
 *
 * Objects are bytes first: `bytes` are what clients get and `parse` is for those who must look inside. Both forms are shared and never changed.
 */
export interface Resource<T extends KubeObject = KubeObject> {
  readonly kind: Kind<T>;
  /** As error texts name it. */
  readonly name: ResourceName;
  readonly cache: ResourceCache;
  keyOf(namespace: string | undefined, name: string): Key;
  /** Prefix of all keys, or of those in one namespace. Ends with a slash. */
  prefixOf(namespace: string | undefined): string;
  /** The canonical JSON in the version of `kind`. */
  bytes(entry: Entry): Uint8Array;
  parse(entry: Entry): Stored<T>;
  /** The stored bytes of an entry with another resourceVersion. */
  rebase(entry: Entry, revision: Revision): Uint8Array;
  /** Selectable fields in the version of `kind`. */
  fields(entry: Entry): Readonly<Record<string, string>>;
  /** What the store keeps for an object: no resourceVersion, storage version. */
  encode(object: T): Uint8Array;
  /** An entry from stored bytes, for reads of old revisions. */
  entryOf(key: Key, value: Uint8Array, revision: Revision): Entry;
  /** Resolves when the cache shows every commit answered before this call. */
  fresh(signal: AbortSignal): Promise<void>;
}

/** The resources of all kinds, each opened at first use. */
export interface Resources {
  readonly kinds: readonly Kind[];
  open<T extends KubeObject>(kind: Kind<T>): Promise<Resource<T>>;
  /** The kind of a path's group, version and plural. */
  find(group: string, version: string, plural: string): Kind | undefined;
}

export interface ResourcesDeps {
  readonly store: Store;
  readonly hub: WatchHub;
  readonly kinds: readonly Kind[];
}

export function createResources({ store, hub, kinds }: ResourcesDeps): Resources {
  const byPath = new Map(kinds.map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind]));
  const opened = new Map<Kind, Promise<Resource>>();

  return {
    kinds,
    find: (group, version, plural) => byPath.get(`${group}/${version}/${plural}`),
    open<T extends KubeObject>(kind: Kind<T>): Promise<Resource<T>> {
      const erased = kind as unknown as Kind;
      let resource = opened.get(erased);
      if (resource === undefined) {
        resource = open(erased);
        opened.set(erased, resource);
        resource.catch(() => opened.delete(erased));
      }
      return resource as unknown as Promise<Resource<T>>;
    },
  };

  async function open(kind: Kind): Promise<Resource> {
    const conversion = conversionOf(kind, kinds);
    const storageKind = conversion?.storage ?? kind;
    const prefix = `${kind.storagePrefix}/`;
    const decode = (_key: Key, value: Uint8Array, revision: Revision, allocate?: Allocate) => {
      const object = decodeSkeleton(value) as Stored<KubeObject>;
      return {
        bytes: withResourceVersion(value, String(revision), allocate),
        labels: object.metadata.labels ?? {},
        fields: selectableFields(storageKind, object),
      };
    };
    const cache = await hub.cache(prefix, { decode });
    const base = {
      kind,
      name: { group: kind.group, plural: kind.plural },
      cache,
      keyOf: (namespace: string | undefined, name: string) => `${prefix}${namespace === undefined ? "" : `${namespace}/`}${name}` as Key,
      prefixOf: (namespace: string | undefined) => (namespace === undefined ? prefix : `${prefix}${namespace}/`),
      entryOf: (key: Key, value: Uint8Array, revision: Revision): Entry => ({ key, revision, ...decode(key, value, revision) }),
      rebase: (entry: Entry, revision: Revision) => withResourceVersion(encodeObject(decodeStored(entry.bytes)), String(revision)),
      fresh: async (signal: AbortSignal) => cache.waitFor(await store.revision(), signal),
    };
    if (conversion === undefined) {
      return {
        ...base,
        bytes: (entry) => entry.bytes,
        parse: (entry) => decodeStored(entry.bytes),
        fields: (entry) => entry.fields,
        encode: encodeObject,
      };
    }
    const converted = new WeakMap<Entry, { readonly object: Stored<KubeObject>; readonly bytes: Uint8Array }>();
    const convert = (entry: Entry) => {
      let known = converted.get(entry);
      if (known === undefined) {
        const object = conversion.fromStorage(decodeStored(entry.bytes)) as Stored<KubeObject>;
        known = { object, bytes: withResourceVersion(encodeObject(object), object.metadata.resourceVersion) };
        converted.set(entry, known);
      }
      return known;
    };
    return {
      ...base,
      bytes: (entry) => convert(entry).bytes,
      parse: (entry) => convert(entry).object,
      fields: (entry) => selectableFields(kind, convert(entry).object),
      encode: (object) => encodeObject(conversion.toStorage(object)),
    };
  }
}

function selectableFields(kind: Kind, object: KubeObject): Readonly<Record<string, string>> {
  const { name = "", namespace } = object.metadata;
  const own = kind.strategy.fields?.(object);
  return kind.scope === "Namespaced"
    ? { "metadata.name": name, "metadata.namespace": namespace ?? "", ...own }
    : { "metadata.name": name, ...own };
}
