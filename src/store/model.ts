/** What is asked of a store. Leases are named by the order of their grants, from 0. */
export type Op =
  | {
      readonly do: "put";
      readonly key: string;
      readonly value: string;
      readonly expect: number | "absent" | "any";
      readonly lease?: number;
    }
  | { readonly do: "delete"; readonly key: string; readonly expect: number | "any" }
  | { readonly do: "get"; readonly key: string; readonly revision?: number }
  | { readonly do: "range"; readonly from: string; readonly to: string | undefined; readonly revision?: number; readonly limit?: number }
  | { readonly do: "count"; readonly from: string; readonly to: string | undefined }
  | { readonly do: "watch"; readonly from: string; readonly to: string | undefined; readonly revision: number }
  | { readonly do: "compact"; readonly revision: number }
  | { readonly do: "grant"; readonly ttlSeconds: number }
  | { readonly do: "keepAlive"; readonly lease: number }
  | { readonly do: "revoke"; readonly lease: number }
  | { readonly do: "advance"; readonly ms: number }
  /** Closes the store and opens it again, where it outlives that. */
  | { readonly do: "reopen" }
  | { readonly do: "state" };

export type ModelKv = readonly [key: string, value: string, createRevision: number, modRevision: number, lease: number | undefined];
export type ModelChange = readonly ["put", ModelKv, ModelKv | undefined] | readonly ["delete", string, number, ModelKv];

/** What a store must answer, in plain values. A watch answers the changes up to now; "state" the revision and the compact revision. */
export type Answer =
  | { readonly ok: true; readonly revision: number; readonly previous: ModelKv | undefined }
  | { readonly ok: false; readonly because: "exists" | "missing" | "modRevision"; readonly current: ModelKv | undefined }
  | { readonly kv: ModelKv | undefined }
  | { readonly kvs: readonly ModelKv[]; readonly remaining: number; readonly revision: number }
  | { readonly count: number }
  | { readonly changes: readonly ModelChange[] }
  | { readonly alive: boolean }
  | { readonly revision: number; readonly compactRevision: number }
  | { readonly error: "CompactedError" | "FutureRevisionError" | "LeaseNotFoundError" }
  | { readonly done: true };

interface ModelLease {
  readonly ttlMs: number;
  readonly due: number;
  readonly ended: boolean;
}

/** The oracle: every change there ever was, and everything else follows from it. Slow, and too simple to be wrong. */
export interface Model {
  readonly changes: readonly ModelChange[];
  readonly compactRevision: number;
  readonly leases: readonly ModelLease[];
  readonly now: number;
}

export const emptyModel: Model = { changes: [], compactRevision: 0, leases: [], now: 0 };

/** The model after `op`, and the only right answer to it. */
export function step(model: Model, op: Op): readonly [Model, Answer] {
  const revision = model.changes.length;
  switch (op.do) {
    case "put":
    case "delete":
      return write(model, op);
    case "get": {
      const error = unreadable(model, op.revision);
      return [model, error ?? { kv: stateAt(model, op.revision ?? revision).get(op.key) }];
    }
    case "range": {
      const error = unreadable(model, op.revision);
      if (error !== undefined) return [model, error];
      const at = op.revision ?? revision;
      const all = [...stateAt(model, at).values()].filter(([key]) => within(op, key)).sort(([a], [b]) => bytesOrder(a, b));
      const kvs = op.limit === undefined || op.limit === 0 ? all : all.slice(0, op.limit);
      return [model, { kvs, remaining: all.length - kvs.length, revision: at }];
    }
    case "count":
      return [model, { count: [...stateAt(model, revision).keys()].filter((key) => within(op, key)).length }];
    case "watch": {
      if (op.revision <= model.compactRevision) return [model, { error: "CompactedError" }];
      const changes = model.changes.slice(op.revision - 1).filter((change) => within(op, change[0] === "put" ? change[1][0] : change[1]));
      return [model, { changes }];
    }
    case "compact":
      if (op.revision > revision) return [model, { error: "FutureRevisionError" }];
      return [{ ...model, compactRevision: Math.max(model.compactRevision, op.revision) }, { done: true }];
    case "grant": {
      const ttlMs = op.ttlSeconds * 1000;
      return [{ ...model, leases: [...model.leases, { ttlMs, due: model.now + ttlMs, ended: false }] }, { done: true }];
    }
    case "keepAlive": {
      const lease = model.leases[op.lease];
      if (lease === undefined || lease.ended) return [model, { alive: false }];
      return [withLease(model, op.lease, { ...lease, due: model.now + lease.ttlMs }), { alive: true }];
    }
    case "revoke":
      return [end(model, op.lease), { done: true }];
    case "advance": {
      let next: Model = { ...model, now: model.now + op.ms };
      const due = model.leases
        .map(({ due, ended }, lease) => ({ due, ended, lease }))
        .filter(({ due, ended }) => !ended && due <= next.now);
      for (const { lease } of due.sort((a, b) => a.due - b.due || a.lease - b.lease)) next = end(next, lease);
      return [next, { done: true }];
    }
    case "reopen":
      return [{ ...model, leases: model.leases.map((lease) => ({ ...lease, due: model.now + lease.ttlMs })) }, { done: true }];
    case "state":
      return [model, { revision, compactRevision: model.compactRevision }];
  }
}

function write(model: Model, op: Extract<Op, { do: "put" | "delete" }>): readonly [Model, Answer] {
  const revision = model.changes.length + 1;
  const current = stateAt(model, revision - 1).get(op.key);
  if (op.do === "put" && op.lease !== undefined && model.leases[op.lease]?.ended !== false) return [model, { error: "LeaseNotFoundError" }];
  if (op.expect === "absent" && current !== undefined) return [model, { ok: false, because: "exists", current }];
  if (typeof op.expect === "number" && current !== undefined && current[3] !== op.expect) {
    return [model, { ok: false, because: "modRevision", current }];
  }
  if (current === undefined && (op.do === "delete" || typeof op.expect === "number")) {
    return [model, { ok: false, because: "missing", current: undefined }];
  }
  let change: ModelChange;
  if (op.do === "put") change = ["put", [op.key, op.value, current?.[2] ?? revision, revision, op.lease], current];
  else if (current !== undefined) change = ["delete", op.key, revision, current];
  else return [model, { ok: false, because: "missing", current: undefined }];
  return [
    { ...model, changes: [...model.changes, change] },
    { ok: true, revision, previous: current },
  ];
}

/** Deletes the keys of a lease, in order. */
function end(model: Model, lease: number): Model {
  const known = model.leases[lease];
  if (known === undefined || known.ended) return model;
  let next = withLease(model, lease, { ...known, ended: true });
  const state = [...stateAt(model, model.changes.length).values()];
  for (const [key] of state.filter((kv) => kv[4] === lease).sort(([a], [b]) => bytesOrder(a, b))) {
    [next] = write(next, { do: "delete", key, expect: "any" });
  }
  return next;
}

function withLease(model: Model, at: number, lease: ModelLease): Model {
  return { ...model, leases: model.leases.with(at, lease) };
}

function unreadable(model: Model, revision: number | undefined): Answer | undefined {
  if (revision === undefined) return undefined;
  if (revision < model.compactRevision) return { error: "CompactedError" };
  return revision > model.changes.length ? { error: "FutureRevisionError" } : undefined;
}

function stateAt(model: Model, revision: number): Map<string, ModelKv> {
  const state = new Map<string, ModelKv>();
  for (const change of model.changes.slice(0, revision)) {
    if (change[0] === "put") state.set(change[1][0], change[1]);
    else state.delete(change[1]);
  }
  return state;
}

function within({ from, to }: { readonly from: string; readonly to: string | undefined }, key: string): boolean {
  return bytesOrder(from, key) <= 0 && (to === undefined || bytesOrder(key, to) < 0);
}

function bytesOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
