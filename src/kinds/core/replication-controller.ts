import type { ReplicationController } from "#machinery/api/core-v1.ts";
import { type FieldError, requiredField } from "#machinery/field-error.ts";
import { selectorFromMap } from "#machinery/selector.ts";
import { defineKind, SCALE, STATUS } from "../kind.ts";
import { ageColumn, column, containerColumns, labelsText, nameColumn, wideColumn } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { type Errors, notNegative } from "../validation.ts";
import { defaultPodTemplate } from "./pod-defaults.ts";
import { selectorMatchesTemplate, validatePodTemplate, validateRunningTemplate } from "./pod-template-rules.ts";
import { podWarnings } from "./pod-warnings.ts";

export const ReplicationControllerKind = defineKind<ReplicationController>({
  group: "",
  version: "v1",
  kind: "ReplicationController",
  plural: "replicationcontrollers",
  shortNames: ["rc"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.core.v1.ReplicationController",
  storagePrefix: "/registry/controllers",
  subresources: [SCALE, STATUS],
  columns: [
    nameColumn,
    column("Desired", "Number of desired pods.", ({ spec }) => spec?.replicas ?? 0, "integer"),
    column("Current", "Number of pods there are.", ({ status }) => status?.replicas ?? 0, "integer"),
    column("Ready", "Number of pods that are ready.", ({ status }) => status?.readyReplicas ?? 0, "integer"),
    ageColumn,
    ...containerColumns<ReplicationController>(({ spec }) => spec?.template),
    wideColumn("Selector", "Selects the pods it counts.", ({ spec }) => labelsText(spec?.selector)),
  ],
  strategy: {
    warnings: ({ spec }) => podWarnings(spec.template?.spec, "spec.template.spec"),
    ...ownStatus<ReplicationController>({ replicas: 0 }),
    generation: "spec",
    default: defaultController,
    validate: validateController,
    fields: ({ status }) => ({ "status.replicas": String(status?.replicas ?? 0) }),
  },
});

/** The labels of its template are its selector and its own labels, unless said otherwise. */
function defaultController(controller: ReplicationController): ReplicationController {
  const spec = controller.spec ?? {};
  const labels = spec.template?.metadata?.labels ?? {};
  const labelled = Object.keys(labels).length > 0;
  const bare = Object.keys(controller.metadata.labels ?? {}).length === 0;
  return {
    ...controller,
    ...(labelled && bare ? { metadata: { ...controller.metadata, labels } } : {}),
    spec: {
      ...spec,
      ...(labelled && Object.keys(spec.selector ?? {}).length === 0 ? { selector: labels } : {}),
      ...(spec.template === undefined ? {} : { template: defaultPodTemplate(spec.template) }),
      replicas: spec.replicas ?? 1,
    },
  };
}

function validateController({ spec }: ReplicationController): Errors {
  const errors: FieldError[] = [...notNegative(spec.minReadySeconds, "spec.minReadySeconds")];
  const empty = Object.keys(spec.selector ?? {}).length === 0;
  if (empty) errors.push(requiredField("spec.selector"));
  errors.push(...notNegative(spec.replicas, "spec.replicas"));
  if (spec.template === undefined) return [...errors, requiredField("spec.template")];
  return [
    ...errors,
    ...(empty ? [] : selectorMatchesTemplate(selectorFromMap(spec.selector), spec.template, "spec.template")),
    ...validatePodTemplate(spec.template, "spec.template"),
    ...validateRunningTemplate(spec.template, "ReplicationController", "spec.template"),
  ];
}
