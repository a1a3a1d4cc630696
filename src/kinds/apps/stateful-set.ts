import type { StatefulSet, StatefulSetSpec } from "#machinery/api/apps-v1.ts";
import { type FieldError, forbiddenField, invalidField, requiredField } from "#machinery/field-error.ts";
import { defineKind, SCALE, STATUS } from "../kind.ts";
import { ageColumn, column, containerColumns, nameColumn } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { defaultClaimSpec, defaultPodTemplate } from "../core/pod-defaults.ts";
import {
  type Errors,
  notNegative,
  notMoreThan100Percent,
  optionalEnum,
  parsedSelector,
  same,
  validateIntOrPercent,
} from "../validation.ts";
import {
  selectorMatchesTemplate,
  validatePodTemplate,
  validateRunningTemplate,
  validateWorkloadSelector,
} from "../core/pod-template-rules.ts";
import { podWarnings } from "../core/pod-warnings.ts";

export const StatefulSetKind = defineKind<StatefulSet>({
  group: "apps",
  version: "v1",
  kind: "StatefulSet",
  plural: "statefulsets",
  shortNames: ["sts"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.apps.v1.StatefulSet",
  subresources: [SCALE, STATUS],
  columns: [
    nameColumn,
    column("Ready", "Number of the pod with ready state", ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`),
    ageColumn,
    ...containerColumns<StatefulSet>(({ spec }) => spec?.template),
  ],
  strategy: {
    warnings: ({ spec }) => podWarnings(spec.template.spec, "spec.template.spec"),
    ...ownStatus<StatefulSet>({ replicas: 0, availableReplicas: 0 }),
    generation: "spec",
    nameRule: "label",
    default: (set) => ({ ...set, spec: defaultSpec(set.spec ?? { template: {} }) }),
    validate: ({ spec }) => validateSpec(spec),
    validateUpdate: validateStatefulSetUpdate,
  },
});

function defaultSpec(spec: StatefulSetSpec): StatefulSetSpec {
  const type = spec.updateStrategy?.type || "RollingUpdate";
  const { rollingUpdate } = spec.updateStrategy ?? {};
  const rolling = { ...rollingUpdate, partition: rollingUpdate?.partition ?? 0 };
  const retention = spec.persistentVolumeClaimRetentionPolicy;
  return {
    ...spec,
    replicas: spec.replicas ?? 1,
    template: defaultPodTemplate(spec.template ?? {}),
    ...(spec.volumeClaimTemplates === undefined
      ? {}
      : {
          volumeClaimTemplates: spec.volumeClaimTemplates.map((claim) => ({
            ...claim,
            apiVersion: "v1",
            kind: "PersistentVolumeClaim",
            spec: defaultClaimSpec(claim.spec ?? {}),
            status: { ...claim.status, phase: claim.status?.phase || "Pending" },
          })),
        }),
    podManagementPolicy: spec.podManagementPolicy || "OrderedReady",
    updateStrategy: { ...spec.updateStrategy, type, ...(type === "RollingUpdate" ? { rollingUpdate: rolling } : {}) },
    persistentVolumeClaimRetentionPolicy: {
      whenDeleted: retention?.whenDeleted || "Retain",
      whenScaled: retention?.whenScaled || "Retain",
    },
    revisionHistoryLimit: spec.revisionHistoryLimit ?? 10,
  };
}

function validateSpec(spec: StatefulSetSpec): Errors {
  const errors: FieldError[] = [];
  const { podManagementPolicy, persistentVolumeClaimRetentionPolicy: retention } = spec;
  if (podManagementPolicy !== "OrderedReady" && podManagementPolicy !== "Parallel") {
    errors.push(
      podManagementPolicy === undefined || podManagementPolicy === ""
        ? requiredField("spec.podManagementPolicy")
        : invalidField("spec.podManagementPolicy", podManagementPolicy, "must be 'OrderedReady' or 'Parallel'"),
    );
  }
  errors.push(...validateUpdateStrategy(spec.updateStrategy));
  for (const field of ["whenDeleted", "whenScaled"] as const) {
    errors.push(...optionalEnum(retention?.[field], ["Retain", "Delete"], `spec.persistentVolumeClaimRetentionPolicy.${field}`));
  }
  errors.push(
    ...notNegative(spec.replicas, "spec.replicas"),
    ...notNegative(spec.minReadySeconds, "spec.minReadySeconds"),
    ...notNegative(spec.ordinals?.start, "spec.ordinals.start"),
    ...validateWorkloadSelector(spec.selector, "statefulset", "spec.selector"),
  );
  const selector = parsedSelector(spec.selector);
  if (selector === undefined) errors.push(invalidField("spec.selector", spec.selector, ""));
  else errors.push(...selectorMatchesTemplate(selector, spec.template, "spec.template"));
  const extraVolumes = (spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name ?? "");
  return [
    ...errors,
    ...validatePodTemplate(spec.template, "spec.template", { extraVolumes }),
    ...validateRunningTemplate(spec.template, "StatefulSet", "spec.template"),
  ];
}

function validateUpdateStrategy(strategy: StatefulSetSpec["updateStrategy"]): Errors {
  const { type = "", rollingUpdate } = strategy ?? {};
  const path = "spec.updateStrategy";
  switch (type) {
    case "":
      return [requiredField(path)];
    case "OnDelete":
      return rollingUpdate === undefined
        ? []
        : [invalidField(`${path}.rollingUpdate`, rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'")];
    case "RollingUpdate":
      return [
        ...notNegative(rollingUpdate?.partition, `${path}.rollingUpdate.partition`),
        ...validateIntOrPercent(rollingUpdate?.maxUnavailable, `${path}.rollingUpdate.maxUnavailable`),
        ...notMoreThan100Percent(rollingUpdate?.maxUnavailable, `${path}.rollingUpdate.maxUnavailable`),
      ];
    default:
      return [invalidField(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")];
  }
}

const CHANGEABLE =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

function validateStatefulSetUpdate({ spec: next }: StatefulSet, { spec: previous }: StatefulSet): Errors {
  const fixed = ({ selector, volumeClaimTemplates, serviceName, podManagementPolicy }: StatefulSetSpec) => ({
    selector,
    volumeClaimTemplates,
    serviceName,
    podManagementPolicy,
  });
  return same(fixed(next), fixed(previous)) ? [] : [forbiddenField("spec", CHANGEABLE)];
}
