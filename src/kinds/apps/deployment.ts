import type { Deployment, DeploymentSpec } from "#machinery/api/apps-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField, unsupportedField } from "#machinery/field-error.ts";
import { defineKind, SCALE, STATUS } from "../kind.ts";
import { ageColumn, column, containerColumns, nameColumn, selectorText, wideColumn } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { defaultPodTemplate } from "../core/pod-defaults.ts";
import { type Errors, immutable, notNegative } from "../validation.ts";
import { validateReplicatedTemplate, validateWorkloadSelector } from "../core/pod-template-rules.ts";
import { validateRollingDeployment } from "./rollout-rules.ts";
import { podWarnings } from "../core/pod-warnings.ts";

export const DeploymentKind = defineKind<Deployment>({
  group: "apps",
  version: "v1",
  kind: "Deployment",
  plural: "deployments",
  shortNames: ["deploy"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.apps.v1.Deployment",
  subresources: [SCALE, STATUS],
  columns: [
    nameColumn,
    column("Ready", "Number of the pod with ready state", ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
    column("Up-to-date", "Number of pods that run the current template.", ({ status }) => status?.updatedReplicas ?? 0),
    column("Available", "Number of pods ready for at least minReadySeconds.", ({ status }) => status?.availableReplicas ?? 0),
    ageColumn,
    ...containerColumns<Deployment>(({ spec }) => spec?.template),
    wideColumn("Selector", "Selects the pods it counts.", ({ spec }) => selectorText(spec?.selector)),
  ],
  strategy: {
    warnings: ({ spec }) => podWarnings(spec.template.spec, "spec.template.spec"),
    ...ownStatus<Deployment>({}),
    generation: "spec",
    default: (deployment) => ({ ...deployment, spec: defaultSpec(deployment.spec ?? { template: {} }) }),
    validate: ({ spec }) => validateSpec(spec),
    validateUpdate: (next, previous) => immutable(next.spec.selector, previous.spec.selector, "spec.selector"),
  },
});

function defaultSpec(spec: DeploymentSpec): DeploymentSpec {
  const type = spec.strategy?.type || "RollingUpdate";
  const { rollingUpdate } = spec.strategy ?? {};
  const rolling = { maxUnavailable: rollingUpdate?.maxUnavailable ?? "25%", maxSurge: rollingUpdate?.maxSurge ?? "25%" };
  return {
    ...spec,
    replicas: spec.replicas ?? 1,
    template: defaultPodTemplate(spec.template ?? {}),
    strategy: { ...spec.strategy, type, ...(type === "RollingUpdate" ? { rollingUpdate: rolling } : {}) },
    revisionHistoryLimit: spec.revisionHistoryLimit ?? 10,
    progressDeadlineSeconds: spec.progressDeadlineSeconds ?? 600,
  };
}

function validateSpec(spec: DeploymentSpec): Errors {
  const { minReadySeconds = 0, progressDeadlineSeconds } = spec;
  const errors: FieldError[] = [
    ...notNegative(spec.replicas, "spec.replicas"),
    ...validateWorkloadSelector(spec.selector, "deployment", "spec.selector"),
    ...validateReplicatedTemplate(spec.selector, spec.template, { selector: "spec.selector", template: "spec.template" }),
    ...validateStrategy(spec.strategy),
    ...notNegative(minReadySeconds, "spec.minReadySeconds"),
    ...notNegative(spec.revisionHistoryLimit, "spec.revisionHistoryLimit"),
    ...notNegative(progressDeadlineSeconds, "spec.progressDeadlineSeconds"),
  ];
  if (progressDeadlineSeconds !== undefined && progressDeadlineSeconds <= minReadySeconds) {
    errors.push(invalidField("spec.progressDeadlineSeconds", progressDeadlineSeconds, "must be greater than minReadySeconds"));
  }
  return errors;
}

function validateStrategy(strategy: DeploymentSpec["strategy"]): Errors {
  const { type = "", rollingUpdate } = strategy ?? {};
  const path = "spec.strategy.rollingUpdate";
  if (type === "Recreate") {
    return rollingUpdate === undefined ? [] : [forbiddenField(path, "may not be specified when strategy `type` is 'Recreate'")];
  }
  if (type !== "RollingUpdate") return [unsupportedField("spec.strategy.type", type, ["Recreate", "RollingUpdate"])];
  if (rollingUpdate === undefined) return [requiredField(path, "this should be defaulted and never be nil")];
  return validateRollingDeployment(rollingUpdate, path);
}
