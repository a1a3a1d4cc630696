import { type Clock, formatTime, type Instant } from "#base/clock.ts";
import { deferred } from "#base/deferred.ts";
import type { Entropy } from "#base/entropy.ts";
import { required } from "#base/invariant.ts";
import type { Log } from "#base/log.ts";
import { EventKind } from "#kinds/core/event.ts";
import type { Event, ObjectReference } from "#machinery/api/core-v1.ts";
import { hasReason, StatusError } from "#machinery/status.ts";
import type { Client, EventNote, EventRecorder } from "./contract.ts";
import { createEventCorrelator } from "./event-correlator.ts";

export interface EventRecorderDeps {
  readonly client: Client;
  /** `kubelet`, `replicaset-controller`. */
  readonly component: string;
  /** Node name, where the component belongs to a node. */
  readonly host?: string;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
}

/** Notes wait while the server is slow or away; more are dropped, as upstream does. */
const MAX_QUEUED = 2000;
/** Notes sent at the same time. */
const LANES = 8;
const ATTEMPTS = 12;
const RETRY_MS = 10_000;

/**
 * Records Events: equal ones are counted on one object, many similar ones are combined, a source that floods is cut off.
 * `record` only queues; `run` sends until `signal` aborts.
 */
export function createEventRecorder(deps: EventRecorderDeps): EventRecorder & { run(signal: AbortSignal): Promise<void> } {
  const { client, component, host, clock, entropy, log } = deps;
  const correlator = createEventCorrelator();
  const lanes = Array.from({ length: LANES }, createLane);
  let queued = 0;
  let dropped = 0;

  return {
    record(note) {
      if (queued >= MAX_QUEUED) {
        if (dropped++ === 0) log.warn("Events are dropped: the queue is full", { reason: note.reason, message: note.message });
        return;
      }
      queued++;
      laneOf(note).add({ note, at: clock.now() });
    },
    async run(signal) {
      await Promise.all(lanes.map((lane) => drain(lane, signal)));
    },
  };

  /** Events about one object are sent one after the other: the second may count the first up. */
  function laneOf({ about }: EventNote): Lane {
    const { uid = "", name = "" } = about.metadata;
    let hash = 0;
    for (const char of uid + name) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 65_521;
    return lanes[hash % LANES] ?? required(lanes[0], "lane");
  }

  async function drain(lane: Lane, signal: AbortSignal): Promise<void> {
    for (let next = await lane.take(signal); next !== undefined; next = await lane.take(signal)) {
      await send(next.note, next.at, signal);
      queued--;
      if (dropped > 0 && queued < MAX_QUEUED / 2) {
        log.warn("Events were dropped", { dropped });
        dropped = 0;
      }
    }
  }

  async function send(note: EventNote, at: Instant, signal: AbortSignal): Promise<void> {
    const involvedObject = referenceTo(note);
    const source = { component, ...(host === undefined ? {} : { host }) };
    const correlated = correlator.correlate({ source, involvedObject, type: note.type, reason: note.reason, message: note.message }, at);
    if (correlated === undefined) return;
    const { previous, count, message, firstAt } = correlated;
    const namespace = involvedObject.namespace ?? "default";
    for (let attempt = 1; attempt <= ATTEMPTS && !signal.aborted; attempt++) {
      try {
        if (previous !== undefined && attempt === 1) {
          try {
            await client.patch(
              EventKind,
              { name: previous, namespace },
              { type: "strategic", body: { count, message, lastTimestamp: formatTime(at) } },
              {},
              signal,
            );
            return;
          } catch (cause) {
            if (!hasReason(cause, "NotFound")) throw cause; // expired in the store: it is made anew below
          }
        }
        const event: Event = {
          apiVersion: "v1",
          kind: "Event",
          metadata: { name: eventName(involvedObject.name ?? "", at), namespace },
          involvedObject,
          reason: note.reason,
          message,
          source,
          firstTimestamp: formatTime(firstAt),
          lastTimestamp: formatTime(at),
          count,
          type: note.type,
          reportingComponent: component,
          reportingInstance: host ?? "",
        };
        await client.create(EventKind, event, signal);
        correlator.recorded(correlated, event.metadata.name ?? "");
        return;
      } catch (cause) {
        if (signal.aborted) return;
        if (cause instanceof StatusError) {
          // An answer is final: the namespace goes away, or we may not. Repeating it would only delay others.
          log.debug("Event refused", { reason: note.reason, cause });
          return;
        }
        log.warn("Cannot record event", { reason: note.reason, attempt, cause });
        await clock.sleep(RETRY_MS * (attempt === 1 ? entropy.fraction() : 1), signal);
      }
    }
  }

  /** `kubia-x7k2p.18a1b2c3d4e5f607`: nanoseconds in hexadecimal, the digits below a millisecond at random. */
  function eventName(object: string, at: Instant): string {
    const nanoseconds = BigInt(at) * 1_000_000n + BigInt(Math.floor(entropy.fraction() * 1e6));
    return `${object}.${nanoseconds.toString(16)}`;
  }
}

interface QueuedNote {
  readonly note: EventNote;
  readonly at: Instant;
}

interface Lane {
  add(note: QueuedNote): void;
  /** Resolves undefined when `signal` aborts. */
  take(signal: AbortSignal): Promise<QueuedNote | undefined>;
}

function createLane(): Lane {
  const notes: QueuedNote[] = [];
  let wake = deferred();
  return {
    add(note) {
      notes.push(note);
      wake.resolve();
    },
    async take(signal) {
      while (!signal.aborted) {
        const next = notes.shift();
        if (next !== undefined) return next;
        wake = deferred();
        const stop = () => wake.resolve();
        signal.addEventListener("abort", stop, { once: true });
        await wake.promise;
        signal.removeEventListener("abort", stop);
      }
      return undefined;
    },
  };
}

function referenceTo({ about, fieldPath }: EventNote): ObjectReference {
  const { name, namespace, uid, resourceVersion } = about.metadata;
  return {
    kind: about.kind,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(uid === undefined ? {} : { uid }),
    apiVersion: about.apiVersion,
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(fieldPath === undefined ? {} : { fieldPath }),
  };
}
