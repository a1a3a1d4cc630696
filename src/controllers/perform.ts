import { unreachable } from "#base/invariant.ts";
import type { Client, EventRecorder } from "#client/contract.ts";
import type { KindRef } from "#kinds/kind.ts";
import type { KubeObject, ObjectRef, Stored } from "#machinery/object.ts";
import { hasReason, StatusError } from "#machinery/status.ts";
import type { Action } from "./action.ts";

export interface PerformDeps {
  readonly client: Client;
  readonly events: EventRecorder;
  readonly signal: AbortSignal;
}

/** Something was written that the caches may not show yet. */
export type Written =
  | { readonly type: "object"; readonly kind: KindRef; readonly object: Stored<KubeObject> }
  | { readonly type: "deleted"; readonly kind: KindRef; readonly ref: ObjectRef };

export interface Failure {
  readonly action: Exclude<Action, { readonly do: "event" }>;
  readonly cause: unknown;
}

export interface Performed {
  readonly written: readonly Written[];
  readonly failures: readonly Failure[];
}

/**
 * Performs actions in order. Neighbouring creates run together in batches of 1, 2, 4, ... so that a quota or webhook that refuses
 * everything is asked once, not 500 times; the rest of such a run is skipped after a failure. Neighbouring deletes run together.
 */
export async function perform(actions: readonly Action[], deps: PerformDeps): Promise<Performed> {
  const written: Written[] = [];
  const failures: Failure[] = [];
  for (const run of runsOf(actions)) {
    let batch = run[0]?.do === "create" ? 1 : DELETE_BATCH;
    for (let at = 0; at < run.length && !deps.signal.aborted; ) {
      const results = await Promise.all(run.slice(at, at + batch).map((action) => performOne(action, deps)));
      for (const result of results) {
        if (result === undefined) continue;
        if ("cause" in result) failures.push(result);
        else written.push(result);
      }
      if (results.some((result) => result !== undefined && "cause" in result)) break;
      at += batch;
      batch = Math.min(batch * 2, CREATE_BATCH);
    }
  }
  return { written, failures };
}

const CREATE_BATCH = 64;
const DELETE_BATCH = 64;

/** Neighbouring creates and neighbouring deletes as one run each, everything else alone. */
function runsOf(actions: readonly Action[]): readonly (readonly Action[])[] {
  const runs: Action[][] = [];
  for (const action of actions) {
    const last = runs.at(-1);
    const joins = (action.do === "create" || action.do === "delete") && last?.[0]?.do === action.do;
    if (joins) last.push(action);
    else runs.push([action]);
  }
  return runs;
}

async function performOne(action: Action, deps: PerformDeps): Promise<Written | Failure | undefined> {
  if (action.do === "event") {
    deps.events.record(action.note);
    return undefined;
  }
  try {
    const written = await write(action, deps);
    if ((action.do === "create" || action.do === "update") && action.tell !== undefined) deps.events.record(action.tell);
    return written;
  } catch (cause) {
    if (deps.signal.aborted) return undefined;
    if (action.do === "create" && action.orExists === true && hasReason(cause, "AlreadyExists")) return undefined;
    if (action.do === "delete" && isGone(action, cause)) return undefined;
    if (action.do === "create" && isNamespaceTerminating(cause)) return undefined;
    if ((action.do === "create" || action.do === "delete") && action.announce !== undefined) {
      const { about, failed, wording } = action.announce;
      const message =
        wording === undefined
          ? `Error ${action.do === "create" ? "creating" : "deleting"}: ${messageOf(cause)}`
          : `${wording.failed}${messageOf(cause)}`;
      deps.events.record({ about, type: "Warning", reason: failed, message });
    }
    return { action, cause };
  }
}

async function write(action: Exclude<Action, { readonly do: "event" }>, { client, events, signal }: PerformDeps): Promise<Written> {
  switch (action.do) {
    case "create": {
      const object = await client.create(action.kind, action.object, signal);
      if (action.announce !== undefined) {
        const { about, done, noun, wording } = action.announce;
        events.record({ about, type: "Normal", reason: done, message: wording?.done ?? `Created ${noun}: ${object.metadata.name}` });
      }
      return { type: "object", kind: action.kind, object };
    }
    case "delete": {
      await client.delete(action.kind, action.object, action.options ?? {}, signal);
      if (action.announce !== undefined) {
        const { about, done, noun, wording } = action.announce;
        events.record({ about, type: "Normal", reason: done, message: wording?.done ?? `Deleted ${noun}: ${action.object.name}` });
      }
      return { type: "deleted", kind: action.kind, ref: action.object };
    }
    case "patch": {
      const options = action.subresource === undefined ? {} : { subresource: action.subresource };
      const object = await client.patch(action.kind, action.object, action.patch, options, signal);
      return { type: "object", kind: action.kind, object };
    }
    case "update": {
      const { kind, object, subresource } = action;
      if (subresource === undefined) return { type: "object", kind, object: await client.update(kind, object, signal) };
      if (subresource === "status") return { type: "object", kind, object: await client.updateStatus(kind, object, signal) };
      return { type: "object", kind, object: await client.updateSubresource(kind, object, subresource, signal) };
    }
    default:
      return unreachable(action);
  }
}

/** Gone, or another object of that name. Where a version was asked for, a conflict may also mean that the object changed. */
function isGone({ options }: Extract<Action, { readonly do: "delete" }>, cause: unknown): boolean {
  return hasReason(cause, "NotFound") || (options?.resourceVersion === undefined && hasReason(cause, "Conflict"));
}

/** Creating in a namespace that is being deleted cannot succeed later either. */
function isNamespaceTerminating(cause: unknown): boolean {
  return cause instanceof StatusError && (cause.status.details?.causes ?? []).some(({ reason }) => reason === "NamespaceTerminating");
}

export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
