import type { Client, EventNote, Informer, InformerEvent, InformerFactory, Patch } from "#client/contract.ts";
import type { KindRef } from "#kinds/kind.ts";
import type { KubeObject, ObjectRef, Stored } from "#machinery/object.ts";
import { alreadyExists, conflict, notFound } from "#machinery/status.ts";

type Json = Readonly<Record<string, unknown>>;
type Listener = (event: InformerEvent<KubeObject>) => void;

/**
 * Enough of an API server for the node agent's tests: objects by kind and name, graceful deletion of pods, strategic merge of
 * statuses (conditions by type), informers that hear of every write at once.
 */
export interface FakeApi {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly notes: EventNote[];
  /** Names of the calls that changed something, with the object: `patch pods/web status`. */
  readonly writes: string[];
  put<T extends KubeObject>(kind: KindRef<T>, object: T): Stored<T>;
  find<T extends KubeObject>(kind: KindRef<T>, ref: ObjectRef): Stored<T> | undefined;
  /** As a user's `kubectl delete`: sets the deletion timestamp on pods, removes other kinds. */
  deleteGracefully(kind: KindRef, ref: ObjectRef, graceSeconds: number, now: string): void;
  remove(kind: KindRef, ref: ObjectRef): void;
  /** Messages of events, `reason: message`, in order, without repetitions in a row. */
  events(about?: string): readonly string[];
}

export function createFakeApi(): FakeApi {
  const objects = new Map<string, Map<string, Stored<KubeObject>>>();
  const listeners = new Map<string, Set<Listener>>();
  const notes: EventNote[] = [];
  const writes: string[] = [];
  let revision = 0;

  const kindOf = (plural: string) => {
    let all = objects.get(plural);
    if (all === undefined) objects.set(plural, (all = new Map()));
    return all;
  };
  const key = ({ name, namespace }: { readonly name?: string | undefined; readonly namespace?: string | undefined }) =>
    `${namespace ?? ""}/${name ?? ""}`;

  function save(kind: KindRef, object: KubeObject, previous: Stored<KubeObject> | undefined): Stored<KubeObject> {
    revision++;
    const metadata = {
      ...object.metadata,
      name: object.metadata.name ?? "",
      uid: previous?.metadata.uid ?? object.metadata.uid ?? `uid-${revision}`,
      resourceVersion: String(revision),
      creationTimestamp: previous?.metadata.creationTimestamp ?? "2030-01-01T00:00:00Z",
    };
    const stored = { ...object, metadata };
    kindOf(kind.plural).set(key(metadata), stored);
    emit(kind, previous === undefined ? { type: "added", object: stored } : { type: "updated", object: stored, previous });
    return stored;
  }

  function emit(kind: KindRef, event: InformerEvent<KubeObject>) {
    for (const listener of listeners.get(kind.plural) ?? []) listener(event);
  }

  function mustGet(kind: KindRef, ref: ObjectRef): Stored<KubeObject> {
    const found = kindOf(kind.plural).get(key(ref));
    if (found === undefined) throw notFound(kind, ref.name);
    return found;
  }

  function remove(kind: KindRef, ref: ObjectRef) {
    const found = mustGet(kind, ref);
    kindOf(kind.plural).delete(key(ref));
    emit(kind, { type: "deleted", object: found });
  }

  function patched(present: Stored<KubeObject>, patch: Patch): KubeObject {
    return merge(present as unknown as Json, (patch.type === "json" ? {} : patch.body) as Json) as unknown as KubeObject;
  }

  const client: Client = {
    get: async (kind, ref) => mustGet(kind, ref) as never,
    list: async (kind) => ({ items: [...kindOf(kind.plural).values()] as never, resourceVersion: String(revision), continue: undefined }),
    async create(kind, object) {
      if (kindOf(kind.plural).has(key(object.metadata))) throw alreadyExists(kind, object.metadata.name ?? "");
      writes.push(`create ${kind.plural}/${object.metadata.name}`);
      return save(kind, object, undefined) as never;
    },
    async update(kind, object) {
      const present = mustGet(kind, { name: object.metadata.name ?? "", namespace: object.metadata.namespace });
      if (object.metadata.resourceVersion !== undefined && object.metadata.resourceVersion !== present.metadata.resourceVersion) {
        throw conflict(
          kind,
          present.metadata.name,
          "the object has been modified; please apply your changes to the latest version and try again",
        );
      }
      writes.push(`update ${kind.plural}/${object.metadata.name}`);
      return save(kind, object, present) as never;
    },
    updateStatus: async (kind, object) => client.update(kind, object, new AbortController().signal),
    async patch(kind, ref, patch, { subresource }) {
      const present = mustGet(kind, ref);
      const body = patch.body as { readonly metadata?: { readonly uid?: string } };
      if (body.metadata?.uid !== undefined && body.metadata.uid !== present.metadata.uid) throw conflict(kind, ref.name, "uid mismatch");
      writes.push(`patch ${kind.plural}/${ref.name}${subresource === undefined ? "" : ` ${subresource}`}`);
      return save(kind, withProbeTimes(patched(present, patch)), present) as never;
    },
    async delete(kind, ref) {
      const present = mustGet(kind, ref);
      if (ref.uid !== undefined && ref.uid !== present.metadata.uid) throw conflict(kind, ref.name, "uid mismatch");
      writes.push(`delete ${kind.plural}/${ref.name}`);
      remove(kind, ref);
    },
    async createSubresource(_kind, ref, subresource) {
      writes.push(`create ${ref.name} ${subresource}`);
      return { status: { token: "a-token", expirationTimestamp: "2031-01-01T00:00:00Z" } } as never;
    },
    updateSubresource: async (kind, object) => client.update(kind, object, new AbortController().signal),
    watch: () => {
      throw new Error("Cannot watch the fake API: use its informers");
    },
  };

  return {
    client,
    notes,
    writes,
    informers: {
      informer: (kind) => {
        const informer: Informer<KubeObject> = {
          kind: kind as never,
          synced: Promise.resolve(),
          lister: {
            get: (ref) => kindOf(kind.plural).get(key(ref)),
            list: (namespace) =>
              [...kindOf(kind.plural).values()].filter((each) => namespace === undefined || each.metadata.namespace === namespace),
            byIndex: () => [],
          },
          onEvent(handler) {
            for (const object of kindOf(kind.plural).values()) handler({ type: "added", object });
            let all = listeners.get(kind.plural);
            if (all === undefined) listeners.set(kind.plural, (all = new Set()));
            all.add(handler);
          },
        };
        return informer as never;
      },
      run: async () => undefined,
    },
    put: (kind, object) => save(kind, object, kindOf(kind.plural).get(key(object.metadata))) as never,
    find: (kind, ref) => kindOf(kind.plural).get(key(ref)) as never,
    deleteGracefully(kind, ref, graceSeconds, now) {
      const present = mustGet(kind, ref);
      save(
        kind,
        { ...present, metadata: { ...present.metadata, deletionTimestamp: now, deletionGracePeriodSeconds: graceSeconds } },
        present,
      );
    },
    remove,
    events(about) {
      const texts = notes
        .filter((note) => about === undefined || note.about.metadata.name === about)
        .map(({ reason, message }) => `${reason}: ${message}`);
      return texts.filter((text, index) => text !== texts[index - 1]);
    },
  };
}

/** The API writes this time of pods' conditions as null when it is not set. */
function withProbeTimes(object: KubeObject): KubeObject {
  if (object.kind !== "Pod") return object;
  const pod = object as KubeObject & { readonly status?: { readonly conditions?: readonly Json[] } };
  const conditions = (pod.status?.conditions ?? []).map((condition) => ({ lastProbeTime: null, ...condition }));
  const dated: typeof pod = { ...pod, status: { ...pod.status, conditions } };
  return dated;
}

/** Objects merge, null removes, lists are replaced, conditions merge by type. */
function merge(target: Json, patch: Json): Json {
  const result: Record<string, unknown> = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    const before = result[name];
    if (value === null) delete result[name];
    else if (name === "conditions" && Array.isArray(value) && Array.isArray(before))
      result[name] = mergeByType(before as Json[], value as Json[]);
    else if (isObject(value) && isObject(before)) result[name] = merge(before, value);
    else result[name] = value;
  }
  return result;
}

function mergeByType(before: readonly Json[], patch: readonly Json[]): readonly Json[] {
  const merged = before.map((each) => merge(each, patch.find((other) => other["type"] === each["type"]) ?? {}));
  return [...merged, ...patch.filter((each) => !before.some((other) => other["type"] === each["type"])).map((each) => merge({}, each))];
}

const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
