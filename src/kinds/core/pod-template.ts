import type { PodTemplate } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";

export const PodTemplateKind = defineKind<PodTemplate>({
  group: "",
  version: "v1",
  kind: "PodTemplate",
  plural: "podtemplates",
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.PodTemplate",
});
