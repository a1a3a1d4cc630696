import type { ReplicaSet } from "#machinery/api/apps-v1.ts";
import { defineKind, SCALE, STATUS } from "../kind.ts";
import { ageColumn, column, containerColumns, nameColumn, selectorText, wideColumn } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { defaultPodTemplate } from "../core/pod-defaults.ts";
import { immutable, notNegative } from "../validation.ts";
import { validateReplicatedTemplate, validateWorkloadSelector } from "../core/pod-template-rules.ts";
import { podWarnings } from "../core/pod-warnings.ts";

export const ReplicaSetKind = defineKind<ReplicaSet>({
  group: "apps",
  version: "v1",
  kind: "ReplicaSet",
  plural: "replicasets",
  shortNames: ["rs"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.apps.v1.ReplicaSet",
  subresources: [SCALE, STATUS],
  columns: [
    nameColumn,
    column("Desired", "Number of desired pods.", ({ spec }) => spec?.replicas ?? 0, "integer"),
    column("Current", "Number of pods there are.", ({ status }) => status?.replicas ?? 0, "integer"),
    column("Ready", "Number of pods that are ready.", ({ status }) => status?.readyReplicas ?? 0, "integer"),
    ageColumn,
    ...containerColumns<ReplicaSet>(({ spec }) => spec?.template),
    wideColumn("Selector", "Selects the pods it counts.", ({ spec }) => selectorText(spec?.selector)),
  ],
  strategy: {
    warnings: ({ spec }) => podWarnings(spec.template?.spec, "spec.template.spec"),
    ...ownStatus<ReplicaSet>({ replicas: 0 }),
    generation: "spec",
    default: (set) => ({
      ...set,
      spec: { ...set.spec, replicas: set.spec?.replicas ?? 1, template: defaultPodTemplate(set.spec?.template ?? {}) },
    }),
    validate: ({ spec }) => [
      ...notNegative(spec.replicas, "spec.replicas"),
      ...notNegative(spec.minReadySeconds, "spec.minReadySeconds"),
      ...validateWorkloadSelector(spec.selector, "deployment", "spec.selector"),
      ...validateReplicatedTemplate(spec.selector, spec.template, { selector: "spec.selector", template: "spec.template" }),
    ],
    validateUpdate: (next, previous) => immutable(next.spec.selector, previous.spec.selector, "spec.selector"),
    fields: ({ status }) => ({ "status.replicas": String(status?.replicas ?? 0) }),
  },
});
