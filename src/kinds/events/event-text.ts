import { age, isZeroTime, UNKNOWN } from "../printing.ts";

/** What both versions of Event show in a table. */
export interface EventFacts {
  readonly firstTimestamp: string | undefined;
  readonly lastTimestamp: string | undefined;
  readonly eventTime: string | undefined;
  readonly count: number | undefined;
  readonly series: { readonly count?: number; readonly lastObservedTime?: string } | undefined;
}

export function firstSeen(event: EventFacts, now: number): string {
  return age(isZeroTime(event.firstTimestamp) ? event.eventTime : event.firstTimestamp, now);
}

export function lastSeen(event: EventFacts, now: number): string {
  if (event.series !== undefined) return age(event.series.lastObservedTime, now);
  const last = age(event.lastTimestamp, now);
  return last === UNKNOWN ? firstSeen(event, now) : last;
}

export function eventCount({ series, count = 0 }: EventFacts): number {
  if (series !== undefined) return series.count ?? 0;
  return count === 0 ? 1 : count;
}

/** `pod/web-1` */
export function eventTarget(reference: { readonly kind?: string; readonly name?: string } | undefined): string {
  const { kind = "", name = "" } = reference ?? {};
  return name === "" ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`;
}

/** `kubelet, node-1` */
export function eventSource(component: string, instance: string): string {
  return instance === "" ? component : `${component}, ${instance}`;
}
