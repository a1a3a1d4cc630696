import type { Event } from "#machinery/api/events-v1.ts";
import { type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import { isLabelKey } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { column, isZeroTime, nameColumn, wideColumn } from "../printing.ts";
import { type EventFacts, eventCount, eventSource, eventTarget, firstSeen, lastSeen } from "./event-text.ts";
import { type Errors, immutable, isMissing } from "../validation.ts";

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
  strategy: {
    createOnUpdate: true,
    validate: validateEvent,
    validateUpdate: (next, previous) =>
      (["reportingController", "reportingInstance", "action", "reason", "regarding", "related", "note", "type"] as const).flatMap((field) =>
        immutable(next[field], previous[field], field),
      ),
    fields: ({ reason = "", regarding, reportingController = "", type = "" }) => ({
      "regarding.kind": regarding?.kind ?? "",
      "regarding.namespace": regarding?.namespace ?? "",
      "regarding.name": regarding?.name ?? "",
      "regarding.uid": regarding?.uid ?? "",
      "regarding.apiVersion": regarding?.apiVersion ?? "",
      "regarding.resourceVersion": regarding?.resourceVersion ?? "",
      "regarding.fieldPath": regarding?.fieldPath ?? "",
      reason,
      reportingController,
      type,
    }),
  },
});

function facts({ deprecatedFirstTimestamp, deprecatedLastTimestamp, eventTime, deprecatedCount, series }: Event): EventFacts {
  return { firstTimestamp: deprecatedFirstTimestamp, lastTimestamp: deprecatedLastTimestamp, eventTime, count: deprecatedCount, series };
}

/** Events of the newer API tell who reports, what happened and what was done about it. */
function validateEvent(event: Event): Errors {
  const errors: FieldError[] = [];
  const { reportingController = "", reportingInstance = "", action = "", reason = "", note = "", type = "" } = event;
  if (isZeroTime(event.eventTime)) errors.push(requiredField("eventTime"));
  if (reportingController === "") errors.push(requiredField("reportingController"));
  else errors.push(...isLabelKey(reportingController).map((message) => invalidField("reportingController", reportingController, message)));
  for (const [field, value, max] of [
    ["reportingInstance", reportingInstance, 128],
    ["action", action, 128],
    ["reason", reason, 128],
  ] as const) {
    if (value === "") errors.push(requiredField(field));
    else if (value.length > max) errors.push(invalidField(field, "", `can have at most ${max} characters`));
  }
  if (note.length > 1024) errors.push(invalidField("message", "", "can have at most 1024 characters"));
  if (isMissing(type)) errors.push(requiredField("type"));
  else if (type !== "Normal" && type !== "Warning") errors.push(invalidField("type", "", `has invalid value: ${type}`));
  const { series } = event;
  if (series !== undefined) {
    if (series.count < 2) errors.push(invalidField("series.count", "", "should be at least 2"));
    if (isZeroTime(series.lastObservedTime)) errors.push(requiredField("series.lastObservedTime"));
  }
  return errors;
}
