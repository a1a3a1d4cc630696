import type { DaemonSet, DaemonSetSpec } from "#machinery/api/apps-v1.ts";
import { type FieldError, requiredField, unsupportedField } from "#machinery/field-error.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, containerColumns, labelsText, nameColumn, selectorText, wideColumn } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { defaultPodTemplate } from "../core/pod-defaults.ts";
import { type Errors, immutable, notNegative, parsedSelector } from "../validation.ts";
import {
  selectorMatchesTemplate,
  validatePodTemplate,
  validateRunningTemplate,
  validateWorkloadSelector,
} from "../core/pod-template-rules.ts";
import { validateRollingDaemonSet } from "./rollout-rules.ts";
import { podWarnings } from "../core/pod-warnings.ts";

export const DaemonSetKind = defineKind<DaemonSet>({
  group: "apps",
  version: "v1",
  kind: "DaemonSet",
  plural: "daemonsets",
  shortNames: ["ds"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.apps.v1.DaemonSet",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Desired", "Number of nodes that should run the pod.", ({ status }) => status?.desiredNumberScheduled ?? 0, "integer"),
    column("Current", "Number of nodes that run the pod and should.", ({ status }) => status?.currentNumberScheduled ?? 0, "integer"),
    column("Ready", "Number of nodes where the pod is ready.", ({ status }) => status?.numberReady ?? 0, "integer"),
    column("Up-to-date", "Number of nodes that run the current template.", ({ status }) => status?.updatedNumberScheduled ?? 0, "integer"),
    column("Available", "Number of nodes where the pod is available.", ({ status }) => status?.numberAvailable ?? 0, "integer"),
    column("Node Selector", "Selects nodes by their labels.", ({ spec }) => labelsText(spec?.template?.spec?.nodeSelector)),
    ageColumn,
    ...containerColumns<DaemonSet>(({ spec }) => spec?.template),
    wideColumn("Selector", "Selects the pods it counts.", ({ spec }) => selectorText(spec?.selector)),
  ],
  strategy: {
    warnings: ({ spec }) => podWarnings(spec.template.spec, "spec.template.spec"),
    ...ownStatus<DaemonSet>({ currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 }),
    generation: "spec",
    default: (set) => ({ ...set, spec: defaultSpec(set.spec ?? { template: {} }) }),
    validate: ({ spec }) => validateSpec(spec),
    validateUpdate: (next, previous) => immutable(next.spec.selector, previous.spec.selector, "spec.selector"),
  },
});

function defaultSpec(spec: DaemonSetSpec): DaemonSetSpec {
  const type = spec.updateStrategy?.type || "RollingUpdate";
  const { rollingUpdate } = spec.updateStrategy ?? {};
  const rolling = { maxUnavailable: rollingUpdate?.maxUnavailable ?? 1, maxSurge: rollingUpdate?.maxSurge ?? 0 };
  return {
    ...spec,
    template: defaultPodTemplate(spec.template ?? {}),
    updateStrategy: { ...spec.updateStrategy, type, ...(type === "RollingUpdate" ? { rollingUpdate: rolling } : {}) },
    revisionHistoryLimit: spec.revisionHistoryLimit ?? 10,
  };
}

function validateSpec(spec: DaemonSetSpec): Errors {
  const errors: FieldError[] = [...validateWorkloadSelector(spec.selector, "daemonset", "spec.selector")];
  const selector = parsedSelector(spec.selector);
  if (selector !== undefined) errors.push(...selectorMatchesTemplate(selector, spec.template, "spec.template"));
  errors.push(
    ...validatePodTemplate(spec.template, "spec.template"),
    ...validateRunningTemplate(spec.template, "DaemonSet", "spec.template"),
    ...notNegative(spec.minReadySeconds, "spec.minReadySeconds"),
    ...validateUpdateStrategy(spec.updateStrategy),
    ...notNegative(spec.revisionHistoryLimit, "spec.revisionHistoryLimit"),
  );
  return errors;
}

function validateUpdateStrategy(strategy: DaemonSetSpec["updateStrategy"]): Errors {
  const { type = "", rollingUpdate } = strategy ?? {};
  if (type === "OnDelete") return [];
  const path = "spec.updateStrategy";
  if (type !== "RollingUpdate") return [unsupportedField(`${path}.type`, type, ["OnDelete", "RollingUpdate"])];
  return rollingUpdate === undefined
    ? [requiredField(`${path}.rollingUpdate`)]
    : validateRollingDaemonSet(rollingUpdate, `${path}.rollingUpdate`);
}
