import { type Clock, createFakeClock, formatTime } from "#base/clock.ts";
import { type Entropy, seededEntropy } from "#base/entropy.ts";
import type { Client, ListOptions, WatchEvent } from "#client/contract.ts";
import type { KindRef } from "#kinds/kind.ts";
import { type KubeObject, keyOf, type ObjectRef, type Stored } from "#machinery/object.ts";
import { matchesLabels, parseLabelSelector } from "#machinery/selector.ts";
import { alreadyExists, badRequest, conflict, modifiedConflict, notFound } from "#machinery/status.ts";

/**
 * A client on a store of its own, without server: no defaulting, no validation, no graceful deletion of pods. For tests of what
 * lies above the client; tests of the API use the real server.
 *
 * Every write makes a new resourceVersion; updates with an outdated one conflict; finalizers keep deleted objects; a changed
 * `spec` makes a new generation; watches begin after the version they name.
 */
export interface FakeClient extends Client {
  /** Present objects, in order of creation. */
  all<T extends KubeObject>(kind: KindRef<T>): readonly Stored<T>[];
  /** Number of writes so far. */
  readonly writes: number;
  /** Makes the next calls fail: return an error to throw, or undefined to let the call pass. */
  failOn(fail: (verb: string, kind: KindRef, name: string) => Error | undefined): void;
}

type Change = Exclude<WatchEvent<KubeObject>, { readonly type: "BOOKMARK" }>;

export function createFakeClient(options: { readonly clock?: Clock; readonly entropy?: Entropy } = {}): FakeClient {
  const { clock = createFakeClock(), entropy = seededEntropy(1) } = options;
  const collections = new Map<string, Map<string, Stored<KubeObject>>>();
  const history: { readonly kind: string; readonly version: number; readonly change: Change }[] = [];
  const listeners = new Set<() => void>();
  let version = 0;
  let writes = 0;
  let fail: (verb: string, kind: KindRef, name: string) => Error | undefined = () => undefined;

  const client: FakeClient = {
    all: <T extends KubeObject>(kind: KindRef<T>) => [...collection(kind).values()] as Stored<T>[],
    get writes() {
      return writes;
    },
    failOn(next) {
      fail = next;
    },
    async get<T extends KubeObject>(kind: KindRef<T>, ref: ObjectRef) {
      check("get", kind, ref.name);
      return present(kind, ref) as Stored<T>;
    },
    async list<T extends KubeObject>(kind: KindRef<T>, options: ListOptions) {
      check("list", kind, "");
      const items = client.all(kind).filter((object) => selected(object, options));
      return { items, resourceVersion: String(version), continue: undefined };
    },
    async create<T extends KubeObject>(kind: KindRef<T>, draft: unknown) {
      const object = draft as T;
      const { generateName } = object.metadata;
      const name = object.metadata.name ?? (generateName === undefined ? "" : `${generateName}${entropy.nameSuffix()}`);
      check("create", kind, name);
      const key = keyOf({ metadata: { ...object.metadata, name } });
      if (collection(kind).has(key)) throw alreadyExists(kind, name);
      const metadata = { ...object.metadata, name, uid: entropy.uid(), generation: 1, creationTimestamp: formatTime(clock.now()) };
      return write(kind, "ADDED", { ...object, metadata: { ...metadata, resourceVersion: "" } }) as Stored<T>;
    },
    async update<T extends KubeObject>(kind: KindRef<T>, object: T) {
      const before = versioned("update", kind, object);
      const { status: _, ...rest } = object as T & { status?: unknown };
      const kept = "status" in before ? { status: before.status } : {};
      return replace(kind, before, { ...rest, ...kept }) as Stored<T>;
    },
    async updateStatus<T extends KubeObject>(kind: KindRef<T>, object: T) {
      const before = versioned("updateStatus", kind, object);
      return replace(kind, before, { ...before, ...("status" in object ? { status: object.status } : {}) }) as Stored<T>;
    },
    async updateSubresource<T extends KubeObject>(kind: KindRef<T>, object: T, subresource: string) {
      const before = versioned(subresource, kind, object);
      return replace(kind, before, object) as Stored<T>;
    },
    async patch<T extends KubeObject>(kind: KindRef<T>, ref: ObjectRef, patch: { readonly type: string; readonly body: unknown }) {
      check("patch", kind, ref.name);
      if (patch.type !== "merge" && patch.type !== "strategic") throw badRequest(`the fake client does not know ${patch.type} patches`);
      const before = present(kind, ref);
      const next = merge(before, patch.body) as Stored<KubeObject>;
      if (next.metadata.resourceVersion !== before.metadata.resourceVersion) throw modifiedConflict(kind, ref.name);
      if (next.metadata.uid !== before.metadata.uid) throw conflict(kind, ref.name, "Precondition failed: UID in precondition");
      return replace(kind, before, next) as Stored<T>;
    },
    async delete(kind, ref, { resourceVersion }) {
      check("delete", kind, ref.name);
      const before = present(kind, ref);
      if (ref.uid !== undefined && ref.uid !== before.metadata.uid)
        throw conflict(kind, ref.name, "Precondition failed: UID in precondition");
      if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion) throw modifiedConflict(kind, ref.name);
      if ((before.metadata.finalizers ?? []).length === 0) write(kind, "DELETED", before);
      else if (before.metadata.deletionTimestamp === undefined) {
        write(kind, "MODIFIED", { ...before, metadata: { ...before.metadata, deletionTimestamp: formatTime(clock.now()) } });
      }
    },
    async createSubresource<R>(kind: KindRef, ref: ObjectRef, subresource: string, body: unknown) {
      check(subresource, kind, ref.name);
      const before = present(kind, ref);
      if (subresource === "binding") {
        const { target } = body as { readonly target: { readonly name: string } };
        const { spec } = before as Stored<KubeObject> & { readonly spec: { readonly nodeName?: string } };
        if (spec.nodeName !== undefined)
          throw conflict({ group: "", plural: "pods/binding" }, ref.name, `pod ${ref.name} is already assigned to node "${spec.nodeName}"`);
        write(kind, "MODIFIED", { ...before, spec: { ...spec, nodeName: target.name } } as Stored<KubeObject>);
      }
      return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success" } as R;
    },
    async *watch<T extends KubeObject>(kind: KindRef<T>, options: ListOptions, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
      check("watch", kind, "");
      const id = idOf(kind);
      const from = Number(options.resourceVersion ?? 0);
      let at = history.findIndex((entry) => entry.version > from);
      if (at === -1) at = history.length;
      while (!signal.aborted) {
        const entry = history[at];
        if (entry === undefined) {
          await changed(signal);
          continue;
        }
        at++;
        if (entry.kind === id && selected(entry.change.object, options)) yield entry.change as WatchEvent<T>;
      }
      signal.throwIfAborted();
    },
  };
  return client;

  function check(verb: string, kind: KindRef, name: string): void {
    const failure = fail(verb, kind, name);
    if (failure !== undefined) throw failure;
  }

  function collection(kind: KindRef): Map<string, Stored<KubeObject>> {
    const known = collections.get(idOf(kind)) ?? new Map<string, Stored<KubeObject>>();
    collections.set(idOf(kind), known);
    return known;
  }

  function present(kind: KindRef, ref: ObjectRef): Stored<KubeObject> {
    const object = collection(kind).get(
      keyOf({ metadata: ref.namespace === undefined ? { name: ref.name } : { name: ref.name, namespace: ref.namespace } }),
    );
    if (object === undefined) throw notFound(kind, ref.name);
    return object;
  }

  function versioned(verb: string, kind: KindRef, object: KubeObject): Stored<KubeObject> {
    const { name = "", namespace, resourceVersion } = object.metadata;
    check(verb, kind, name);
    const before = present(kind, { name, namespace });
    if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion) throw modifiedConflict(kind, name);
    return before;
  }

  function replace(kind: KindRef, before: Stored<KubeObject>, next: KubeObject): Stored<KubeObject> {
    const spec = (object: KubeObject) => JSON.stringify("spec" in object ? object.spec : undefined);
    const generation = (before.metadata.generation ?? 1) + (spec(before) === spec(next) ? 0 : 1);
    const stored = { ...next, metadata: { ...next.metadata, generation } } as Stored<KubeObject>;
    if (JSON.stringify(stored) === JSON.stringify(before)) return before;
    const finished = stored.metadata.deletionTimestamp !== undefined && (stored.metadata.finalizers ?? []).length === 0;
    return write(kind, finished ? "DELETED" : "MODIFIED", stored);
  }

  function write(kind: KindRef, type: Change["type"], object: Stored<KubeObject>): Stored<KubeObject> {
    writes++;
    version++;
    const stored = structuredClone({ ...object, metadata: { ...object.metadata, resourceVersion: String(version) } });
    if (type === "DELETED") collection(kind).delete(keyOf(stored));
    else collection(kind).set(keyOf(stored), stored);
    history.push({ kind: idOf(kind), version, change: { type, object: stored } });
    for (const wake of Array.from(listeners)) wake(); // listeners come and go meanwhile
    return stored;
  }

  async function changed(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      listeners.add(done);
      signal.addEventListener("abort", done, { once: true });
      function done() {
        listeners.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      }
    });
  }
}

const idOf = ({ plural, group }: KindRef): string => `${plural}.${group}`;

function selected({ metadata }: KubeObject, { namespace, labelSelector, fieldSelector }: ListOptions): boolean {
  const [, field, value] = /^([^=]+)=(.*)$/.exec(fieldSelector ?? "") ?? [];
  return (
    (namespace === undefined || metadata.namespace === namespace) &&
    (labelSelector === undefined || matchesLabels(parseLabelSelector(labelSelector), metadata.labels)) &&
    (field !== "metadata.name" || metadata.name === value)
  );
}

/** RFC 7386; good enough for strategic patches of single conditions in tests, which replace the list. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === "object" && target !== null && !Array.isArray(target) ? target : {};
  const next: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete next[key];
    else next[key] = merge(next[key], value);
  }
  return next;
}
