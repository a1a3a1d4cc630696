import type { Event } from "#machinery/api/core-v1.ts";
import { type FieldError, invalidField } from "#machinery/field-error.ts";
import { isDns1123Label } from "#machinery/names.ts";
import { defineKind } from "../kind.ts";
import { column, nameColumn, wideColumn } from "../printing.ts";
import { type EventFacts, eventCount, eventSource, eventTarget, firstSeen, lastSeen } from "../events/event-text.ts";
import { type Errors } from "../validation.ts";

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
  strategy: {
    nameRule: "subdomain",
    createOnUpdate: true,
    validate: validateEvent,
    fields: ({ involvedObject, reason = "", reportingComponent = "", source, type = "" }) => ({
      "involvedObject.kind": involvedObject?.kind ?? "",
      "involvedObject.namespace": involvedObject?.namespace ?? "",
      "involvedObject.name": involvedObject?.name ?? "",
      "involvedObject.uid": involvedObject?.uid ?? "",
      "involvedObject.apiVersion": involvedObject?.apiVersion ?? "",
      "involvedObject.resourceVersion": involvedObject?.resourceVersion ?? "",
      "involvedObject.fieldPath": involvedObject?.fieldPath ?? "",
      reason,
      reportingComponent,
      source: source?.component || reportingComponent,
      type,
    }),
  },
});

function facts({ firstTimestamp, lastTimestamp, eventTime, count, series }: Event): EventFacts {
  return { firstTimestamp, lastTimestamp, eventTime, count, series };
}

function validateEvent({ metadata, involvedObject }: Event): Errors {
  const errors: FieldError[] = [];
  const about = involvedObject?.namespace ?? "";
  const { namespace = "" } = metadata;
  if (about === "" ? namespace !== "" && namespace !== "default" && namespace !== "kube-system" : namespace !== about) {
    errors.push(invalidField("involvedObject.namespace", about, "does not match event.namespace"));
  }
  for (const message of isDns1123Label(namespace)) errors.push(invalidField("namespace", namespace, message));
  return errors;
}
