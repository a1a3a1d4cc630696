import type { Event as CoreEvent } from "#machinery/api/core-v1.ts";
import type { Event } from "#machinery/api/events-v1.ts";

/** Pure: events.k8s.io/v1 as it is stored. The two have the same content under other names. */
export function eventToCore(event: Event): CoreEvent {
  const {
    regarding, note, deprecatedSource, deprecatedFirstTimestamp, deprecatedLastTimestamp, deprecatedCount, reportingController, ...rest
  } = event; // biome-ignore format: one glance
  return {
    ...rest,
    apiVersion: "v1",
    involvedObject: regarding ?? {},
    ...(note === undefined ? {} : { message: note }),
    ...(deprecatedSource === undefined ? {} : { source: deprecatedSource }),
    ...(deprecatedFirstTimestamp === undefined ? {} : { firstTimestamp: deprecatedFirstTimestamp }),
    ...(deprecatedLastTimestamp === undefined ? {} : { lastTimestamp: deprecatedLastTimestamp }),
    ...(deprecatedCount === undefined ? {} : { count: deprecatedCount }),
    ...(reportingController === undefined ? {} : { reportingComponent: reportingController }),
  };
}

/** Pure: the way back. */
export function eventFromCore(event: CoreEvent): Event {
  const { involvedObject, message, source, firstTimestamp, lastTimestamp, count, reportingComponent, eventTime, ...rest } = event;
  return {
    ...rest,
    apiVersion: "events.k8s.io/v1",
    eventTime: eventTime ?? (null as unknown as string), // never set: written as null
    regarding: involvedObject,
    ...(message === undefined ? {} : { note: message }),
    ...(source === undefined ? {} : { deprecatedSource: source }),
    ...(firstTimestamp === undefined ? {} : { deprecatedFirstTimestamp: firstTimestamp }),
    ...(lastTimestamp === undefined ? {} : { deprecatedLastTimestamp: lastTimestamp }),
    ...(count === undefined ? {} : { deprecatedCount: count }),
    ...(reportingComponent === undefined ? {} : { reportingController: reportingComponent }),
  } as Event;
}
