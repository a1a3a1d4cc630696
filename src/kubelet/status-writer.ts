import { isDeepStrictEqual } from "node:util";
import { backoffDelayMs } from "#base/backoff.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Client } from "#client/contract.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Pod, PodStatus } from "#machinery/api/core-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import { hasReason } from "#machinery/status.ts";

/**
 * Sends pod statuses to the API server.
 *
 * W1. Only what differs from what the server has is sent, the newest only, one write per pod at a time.
 * W2. A write that fails is repeated until it succeeds, is replaced, or the pod is gone.
 */
export interface StatusWriter {
  set(pod: Stored<Pod>, status: PodStatus): void;
  /** Resolves when what was set last has been written, or cannot be because the pod is gone. */
  flush(uid: string): Promise<void>;
  forget(uid: string): void;
}

export interface StatusWriterDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
}

interface Entry {
  pod: Stored<Pod>;
  wanted: PodStatus;
  written: PodStatus | undefined;
  writing: Promise<void> | undefined;
}

const RETRY = { baseMs: 200, maxMs: 10_000 };

export function createStatusWriter({ client, clock, log, spawn }: StatusWriterDeps): StatusWriter {
  const entries = new Map<string, Entry>();

  return {
    set(pod, status) {
      const { uid } = pod.metadata;
      let entry = entries.get(uid);
      const wanted = withoutNulls(status);
      if (entry === undefined) {
        const written = pod.status === undefined ? undefined : withoutNulls(pod.status);
        entries.set(uid, (entry = { pod, wanted, written, writing: undefined }));
      }
      entry.pod = pod;
      entry.wanted = wanted;
      if (entry.writing === undefined && !isDeepStrictEqual(entry.wanted, entry.written)) write(entry); // W1
    },
    async flush(uid) {
      await entries.get(uid)?.writing;
    },
    forget(uid) {
      entries.delete(uid);
    },
  };

  function write(entry: Entry) {
    entry.writing = new Promise((resolve) => {
      spawn("pod status", async (signal) => {
        try {
          await writeAll(entry, signal);
        } finally {
          entry.writing = undefined;
          resolve();
        }
      });
    });
  }

  async function writeAll(entry: Entry, signal: AbortSignal) {
    for (let attempt = 0; !signal.aborted && !isDeepStrictEqual(entry.wanted, entry.written); ) {
      const { pod, wanted } = entry;
      try {
        const body = { metadata: { uid: pod.metadata.uid }, status: difference(wanted, entry.written) };
        await client.patch(PodKind, refOf(pod), { type: "strategic", body }, { subresource: "status" }, signal);
        entry.written = wanted;
        attempt = 0;
      } catch (cause) {
        if (signal.aborted) return;
        if (hasReason(cause, "NotFound", "Conflict")) {
          entries.delete(pod.metadata.uid); // gone, or another pod of that name
          return;
        }
        log.warn("Pod status not written", { pod: pod.metadata.name, namespace: pod.metadata.namespace, attempt, cause });
        await clock.sleep(backoffDelayMs(RETRY, attempt++), signal); // W2
      }
    }
  }
}

/** The server may write null where a time is not set. */
function withoutNulls<T>(value: T): T {
  if (Array.isArray(value)) return value.map((each: unknown) => withoutNulls(each)) as T;
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(kept.map(([key, each]) => [key, withoutNulls(each)])) as T;
}

/** Fields that changed, null for those that are gone; conditions are merged by type, so only changed ones are named. */
function difference(wanted: PodStatus, written: PodStatus | undefined): object {
  const before = (written ?? {}) as Readonly<Record<string, unknown>>;
  const changed = Object.entries(wanted).filter(([key, value]) => key !== "conditions" && !isDeepStrictEqual(value, before[key]));
  const removed = Object.keys(before).filter((key) => !(key in wanted));
  const conditions = (wanted.conditions ?? []).flatMap((condition) => {
    const known = written?.conditions?.find((each) => each.type === condition.type);
    if (isDeepStrictEqual(condition, known)) return [];
    return [{ ...Object.fromEntries(Object.keys(known ?? {}).map((key) => [key, null])), ...condition }];
  });
  return {
    ...Object.fromEntries(changed),
    ...Object.fromEntries(removed.map((key) => [key, null])),
    ...(conditions.length === 0 ? {} : { conditions }),
  };
}
