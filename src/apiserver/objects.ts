import type { Kind } from "#kinds/kind.ts";
import type { KubeObject, Stored } from "#machinery/object.ts";
import type { Entry } from "#store/watch-hub.ts";
import type { Resources } from "./resource.ts";

/**
 * Reads of the server's own caches, for admission, authorizers and bootstrap. What they return is shared and parsed once; it may be older
 * than the newest write of another server, never than one that this server has answered.
 */
export interface Objects {
  get<T extends KubeObject>(kind: Kind<T>, namespace: string | undefined, name: string): Promise<Stored<T> | undefined>;
  /** All, or those of one namespace. The same array again as long as nothing changes, when no namespace is given. */
  list<T extends KubeObject>(kind: Kind<T>, namespace?: string): Promise<readonly Stored<T>[]>;
}

export function createObjects(resources: Resources): Objects {
  const parsed = new WeakMap<Entry, Stored<KubeObject>>();
  const lists = new WeakMap<readonly Entry[], readonly Stored<KubeObject>[]>();

  return {
    async get(kind, namespace, name) {
      const resource = await resources.open(kind);
      const entry = resource.cache.get(resource.keyOf(namespace, name));
      return entry === undefined ? undefined : once(entry, () => resource.parse(entry));
    },
    async list<T extends KubeObject>(kind: Kind<T>, namespace?: string) {
      const resource = await resources.open(kind);
      const { entries } = resource.cache.list(resource.prefixOf(namespace));
      let objects = lists.get(entries);
      if (objects === undefined) {
        objects = entries.map((entry) => once(entry, () => resource.parse(entry)));
        lists.set(entries, objects);
      }
      return objects as readonly Stored<T>[];
    },
  };

  function once<T extends KubeObject>(entry: Entry, parse: () => Stored<T>): Stored<T> {
    let object = parsed.get(entry);
    if (object === undefined) {
      object = parse();
      parsed.set(entry, object);
    }
    return object as Stored<T>;
  }
}
