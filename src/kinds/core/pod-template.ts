import type { PodTemplate } from "#machinery/api/core-v1.ts";
import { defineKind } from "../kind.ts";
import { column, containerColumns, labelsText, nameColumn } from "../printing.ts";
import { defaultPodTemplate } from "./pod-defaults.ts";
import { validatePodTemplate } from "./pod-template-rules.ts";
import { same } from "../validation.ts";

export const PodTemplateKind = defineKind<PodTemplate>({
  group: "",
  version: "v1",
  kind: "PodTemplate",
  plural: "podtemplates",
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.PodTemplate",
  columns: [
    nameColumn,
    ...containerColumns<PodTemplate>(({ template }) => template, "always"),
    column("Pod Labels", "The labels for the pod template.", ({ template }) => labelsText(template?.metadata?.labels)),
  ],
  strategy: {
    generation: (next, previous) => !same(next.template, previous.template),
    default: (object) => ({ ...object, template: defaultPodTemplate(object.template ?? {}) }),
    validate: ({ template = {} }) => validatePodTemplate(template, "template"),
  },
});
