import type { Event } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";

export const EventKind = defineKind<Event>({
  group: "",
  version: "v1",
  kind: "Event",
  plural: "events",
  shortNames: ["ev"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.Event",
});
