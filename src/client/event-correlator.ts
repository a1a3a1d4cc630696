import type { Instant } from "#base/clock.ts";
import type { EventSource, ObjectReference } from "#machinery/api/core-v1.ts";

export interface EventFacts {
  readonly source: EventSource;
  readonly involvedObject: ObjectReference;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

export interface CorrelatedEvent {
  /** Name of the Event object that already says this, to be counted up. */
  readonly previous: string | undefined;
  readonly count: number;
  readonly message: string;
  readonly firstAt: Instant;
  readonly key: string;
}

export interface EventCorrelator {
  /** undefined: the source floods; say nothing. */
  correlate(facts: EventFacts, now: Instant): CorrelatedEvent | undefined;
  /** The event was written under this name. */
  recorded(event: CorrelatedEvent, name: string): void;
}

/** A source may say 25 things about an object at once, and one more every 5 minutes. */
const SPAM_BURST = 25;
const SPAM_REFILL_MS = 300_000;
/** More than 10 different messages within 10 minutes are combined. */
const SIMILAR_MAX = 10;
const SIMILAR_WITHIN_MS = 600_000;
const CACHE_SIZE = 4096;

/** Upstream's rules of counting, combining and cutting off. State only; no I/O. */
export function createEventCorrelator(): EventCorrelator {
  const buckets = createLru<{ tokens: number; at: Instant }>();
  const similar = createLru<{ readonly messages: Set<string>; last: Instant }>();
  const counts = createLru<{ count: number; firstAt: Instant; name: string | undefined }>();

  return {
    correlate(facts, now) {
      const { source, involvedObject: o } = facts;
      const subject = [source.component, source.host, o.kind, o.namespace, o.name, o.uid, o.apiVersion];
      const group = JSON.stringify([...subject, facts.type, facts.reason]);
      const recent = similar.get(group, () => ({ messages: new Set(), last: now }));
      if (now - recent.last > SIMILAR_WITHIN_MS) recent.messages.clear();
      recent.messages.add(facts.message);
      recent.last = now;
      const combined = recent.messages.size >= SIMILAR_MAX;
      if (combined) recent.messages.delete([...recent.messages][0] ?? "");
      const message = combined ? `(combined from similar events): ${facts.message}` : facts.message;
      const key = combined ? group : JSON.stringify([...subject, o.fieldPath, facts.type, facts.reason, facts.message]);
      const entry = counts.get(key, () => ({ count: 0, firstAt: now, name: undefined }));
      entry.count++;
      if (!maySpeak(JSON.stringify(subject), now)) return undefined;
      return { previous: entry.name, count: entry.count, message, firstAt: entry.firstAt, key };
    },
    recorded({ key, count, firstAt }, name) {
      Object.assign(
        counts.get(key, () => ({ count, firstAt, name })),
        { name },
      );
    },
  };

  function maySpeak(subject: string, now: Instant): boolean {
    const bucket = buckets.get(subject, () => ({ tokens: SPAM_BURST, at: now }));
    bucket.tokens = Math.min(SPAM_BURST, bucket.tokens + (now - bucket.at) / SPAM_REFILL_MS);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}

function createLru<V>(): { get(key: string, make: () => V): V } {
  const entries = new Map<string, V>();
  return {
    get(key, make) {
      const value = entries.get(key) ?? make();
      entries.delete(key);
      entries.set(key, value);
      if (entries.size > CACHE_SIZE) dropOldest();
      return value;
    },
  };

  function dropOldest(): void {
    const oldest = entries.keys().next();
    if (!oldest.done) entries.delete(oldest.value);
  }
}
