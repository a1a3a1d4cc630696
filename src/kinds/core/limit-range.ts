import type { LimitRange } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";
import { createdAtColumn, nameColumn } from "../printing.ts";

export const LimitRangeKind = defineKind<LimitRange>({
  group: "",
  version: "v1",
  kind: "LimitRange",
  plural: "limitranges",
  shortNames: ["limits"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.LimitRange",
  columns: [nameColumn, createdAtColumn],
});
