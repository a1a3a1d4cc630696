import type { Event } from "#machinery/api/events-v1.ts";
import { defineKind } from "../kind.ts";

export const EventV1Kind = defineKind<Event>({
  group: "events.k8s.io",
  version: "v1",
  kind: "Event",
  plural: "events",
  shortNames: ["ev"],
  scope: "Namespaced",
  typeName: "io.k8s.api.events.v1.Event",
});
