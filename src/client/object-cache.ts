import { type KubeObject, keyOf, type Stored } from "#machinery/object.ts";

/** Objects of one kind by key, by namespace and by any number of indexes. Look-ups cost what their answer costs. */
export interface ObjectCache<T extends KubeObject> {
  get(key: string): Stored<T> | undefined;
  all(): readonly Stored<T>[];
  inNamespace(namespace: string): readonly Stored<T>[];
  /** Returns what was there before. */
  put(object: Stored<T>): Stored<T> | undefined;
  remove(object: Stored<T>): Stored<T> | undefined;
  /** A look-up by the values that `values` gives for an object; the same function gives the same index. */
  index(values: (object: Stored<T>) => readonly string[]): (value: string) => readonly Stored<T>[];
}

export function createObjectCache<T extends KubeObject>(): ObjectCache<T> {
  type Values = (object: Stored<T>) => readonly string[];
  type Buckets = Map<string, Map<string, Stored<T>>>;
  const objects = new Map<string, Stored<T>>();
  const indexes = new Map<Values, Buckets>();
  const inNamespace = index(({ metadata: { namespace } }) => (namespace === undefined ? [] : [namespace]));

  return {
    get: (key) => objects.get(key),
    all: () => [...objects.values()],
    inNamespace,
    put(object) {
      const key = keyOf(object);
      const previous = objects.get(key);
      objects.set(key, object);
      for (const [values, buckets] of indexes) {
        if (previous !== undefined) drop(buckets, values(previous), key);
        fill(buckets, values(object), key, object);
      }
      return previous;
    },
    remove(object) {
      const key = keyOf(object);
      const previous = objects.get(key);
      if (previous === undefined) return undefined;
      objects.delete(key);
      for (const [values, buckets] of indexes) drop(buckets, values(previous), key);
      return previous;
    },
    index,
  };

  function index(values: Values): (value: string) => readonly Stored<T>[] {
    let buckets = indexes.get(values);
    if (buckets === undefined) {
      buckets = new Map();
      indexes.set(values, buckets);
      for (const [key, object] of objects) fill(buckets, values(object), key, object);
    }
    const own = buckets;
    return (value) => [...(own.get(value)?.values() ?? [])];
  }

  function fill(buckets: Buckets, values: readonly string[], key: string, object: Stored<T>): void {
    for (const value of values) {
      const bucket = buckets.get(value);
      if (bucket === undefined) buckets.set(value, new Map([[key, object]]));
      else bucket.set(key, object);
    }
  }

  function drop(buckets: Buckets, values: readonly string[], key: string): void {
    for (const value of values) {
      const bucket = buckets.get(value);
      bucket?.delete(key);
      if (bucket?.size === 0) buckets.delete(value);
    }
  }
}
