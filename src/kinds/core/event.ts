import type { Event } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";
import { column, nameColumn, wideColumn } from "../printing.ts";
import { type EventFacts, eventCount, eventSource, eventTarget, firstSeen, lastSeen } from "../events/event-text.ts";

export const EventKind = defineKind<Event>({
  group: "",
  version: "v1",
  kind: "Event",
  plural: "events",
  shortNames: ["ev"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.Event",
  columns: [
    column("Last Seen", "Time since it was last seen.", (event, now) => lastSeen(facts(event), now)),
    column("Type", "Normal or Warning; others may follow.", ({ type = "" }) => type),
    column("Reason", "Why this happened, as one word.", ({ reason = "" }) => reason),
    column("Object", "The object this event is about.", ({ involvedObject }) => eventTarget(involvedObject)),
    wideColumn("Subobject", "The part of the object this event is about.", ({ involvedObject }) => involvedObject?.fieldPath ?? ""),
    wideColumn("Source", "The component that reports the event.", ({ source, reportingComponent, reportingInstance }) =>
      eventSource(source?.component || reportingComponent || "", source?.host || reportingInstance || ""),
    ),
    column("Message", "What happened, for people.", ({ message }) => message?.trim() ?? ""),
    wideColumn("First Seen", "Time since it was first seen.", (event, now) => firstSeen(facts(event), now)),
    wideColumn("Count", "How often it was seen.", (event) => eventCount(facts(event))),
    { ...nameColumn, wide: true },
  ],
});

function facts({ firstTimestamp, lastTimestamp, eventTime, count, series }: Event): EventFacts {
  return { firstTimestamp, lastTimestamp, eventTime, count, series };
}
