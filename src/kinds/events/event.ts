import type { Event } from "#machinery/api/events-v1.ts";
import { defineKind } from "../kind.ts";
import { column, nameColumn, wideColumn } from "../printing.ts";
import { type EventFacts, eventCount, eventSource, eventTarget, firstSeen, lastSeen } from "./event-text.ts";

export const EventV1Kind = defineKind<Event>({
  group: "events.k8s.io",
  version: "v1",
  kind: "Event",
  plural: "events",
  shortNames: ["ev"],
  scope: "Namespaced",
  typeName: "io.k8s.api.events.v1.Event",
  columns: [
    column("Last Seen", "Time since it was last seen.", (event, now) => lastSeen(facts(event), now)),
    column("Type", "Normal or Warning; others may follow.", ({ type = "" }) => type),
    column("Reason", "Why this happened, as one word.", ({ reason = "" }) => reason),
    column("Object", "The object this event is about.", ({ regarding }) => eventTarget(regarding)),
    wideColumn("Subobject", "The part of the object this event is about.", ({ regarding }) => regarding?.fieldPath ?? ""),
    wideColumn("Source", "The component that reports the event.", ({ deprecatedSource, reportingController, reportingInstance }) =>
      eventSource(deprecatedSource?.component || reportingController || "", deprecatedSource?.host || reportingInstance || ""),
    ),
    column("Message", "What happened, for people.", ({ note }) => note?.trim() ?? ""),
    wideColumn("First Seen", "Time since it was first seen.", (event, now) => firstSeen(facts(event), now)),
    wideColumn("Count", "How often it was seen.", (event) => eventCount(facts(event))),
    { ...nameColumn, wide: true },
  ],
});

function facts({ deprecatedFirstTimestamp, deprecatedLastTimestamp, eventTime, deprecatedCount, series }: Event): EventFacts {
  return { firstTimestamp: deprecatedFirstTimestamp, lastTimestamp: deprecatedLastTimestamp, eventTime, count: deprecatedCount, series };
}
