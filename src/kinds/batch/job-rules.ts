import type { Job, JobSpec, PodFailurePolicy, PodFailurePolicyRule, SuccessPolicy } from "#machinery/api/batch-v1.ts";
import type { LabelSelector } from "#machinery/api/meta-v1.ts";
import { type FieldError, invalidField, requiredField, unsupportedField } from "#machinery/field-error.ts";
import { isLabelKey } from "#machinery/names.ts";
import { defaultPodTemplate } from "../core/pod-defaults.ts";
import { selectorMatchesTemplate, validatePodTemplate } from "../core/pod-template-rules.ts";
import {
  type Errors,
  follows,
  immutable,
  isMissing,
  notNegative,
  optionalEnum,
  parsedSelector,
  requiredEnum,
  same,
  validateLabelSelector,
} from "../validation.ts";

export const CONTROLLER_UID_LABEL = "batch.kubernetes.io/controller-uid";
const JOB_NAME_LABEL = "batch.kubernetes.io/job-name";
const LEGACY_UID_LABEL = "controller-uid";
const LEGACY_NAME_LABEL = "job-name";
const MAX_INDEXED = 100_000;

/** One pod that must succeed, unless completions or parallelism say otherwise. */
export function defaultJobSpec(spec: JobSpec): JobSpec {
  const { backoffLimitPerIndex, podFailurePolicy } = spec;
  return {
    ...spec,
    ...(spec.completions === undefined && spec.parallelism === undefined ? { completions: 1 } : {}),
    parallelism: spec.parallelism ?? 1,
    backoffLimit: spec.backoffLimit ?? (backoffLimitPerIndex === undefined ? 6 : 2 ** 31 - 1),
    completionMode: spec.completionMode ?? "NonIndexed",
    suspend: spec.suspend ?? false,
    manualSelector: spec.manualSelector ?? false,
    podReplacementPolicy: spec.podReplacementPolicy ?? (podFailurePolicy === undefined ? "TerminatingOrFailed" : "Failed"),
    ...(podFailurePolicy === undefined ? {} : { podFailurePolicy: defaultFailurePolicy(podFailurePolicy) }),
    template: defaultPodTemplate(spec.template ?? {}),
  };
}

function defaultFailurePolicy(policy: PodFailurePolicy): PodFailurePolicy {
  return {
    ...policy,
    rules: (policy.rules ?? []).map((rule) => ({
      ...rule,
      ...(rule.onPodConditions === undefined
        ? {}
        : { onPodConditions: rule.onPodConditions.map((pattern) => ({ ...pattern, status: pattern.status || "True" })) }),
    })),
  };
}

export function defaultJob(job: Job): Job {
  const spec = defaultJobSpec(job.spec ?? { template: {} });
  const labels = spec.template.metadata?.labels ?? {};
  const bare = Object.keys(job.metadata.labels ?? {}).length === 0 && Object.keys(labels).length > 0;
  return { ...job, ...(bare ? { metadata: { ...job.metadata, labels } } : {}), spec };
}

/** A job finds its pods by its own uid, which is known once it is created. */
export function withGeneratedSelector(job: Job): Job {
  if (job.spec.manualSelector === true) return job;
  const { uid = "", name = "" } = job.metadata;
  const { template, selector } = job.spec;
  const generated = { [CONTROLLER_UID_LABEL]: uid, [LEGACY_UID_LABEL]: uid, [JOB_NAME_LABEL]: name, [LEGACY_NAME_LABEL]: name };
  const matching: LabelSelector = {
    ...selector,
    matchLabels: { ...selector?.matchLabels, [CONTROLLER_UID_LABEL]: selector?.matchLabels?.[CONTROLLER_UID_LABEL] ?? uid },
  };
  return {
    ...job,
    spec: {
      ...job.spec,
      selector: matching,
      template: { ...template, metadata: { ...template.metadata, labels: { ...generated, ...template.metadata?.labels } } },
    },
  };
}

export function validateJob(job: Job): Errors {
  const { spec } = job;
  const errors: FieldError[] = [...validateGeneratedSelector(job), ...validateJobSpec(spec, "spec")];
  if (spec.selector === undefined) errors.push(requiredField("spec.selector"));
  else errors.push(...validateLabelSelector(spec.selector, "spec.selector"));
  const selector = parsedSelector(spec.selector);
  if (selector !== undefined) errors.push(...selectorMatchesTemplate(selector, spec.template, "spec.template"));
  return errors;
}

function validateGeneratedSelector({ metadata, spec }: Job): Errors {
  if (spec.manualSelector === true) return [];
  const errors: FieldError[] = [];
  const labels = spec.template.metadata?.labels ?? {};
  const wanted = {
    [LEGACY_UID_LABEL]: metadata.uid ?? "",
    [LEGACY_NAME_LABEL]: metadata.name ?? "",
    [CONTROLLER_UID_LABEL]: metadata.uid ?? "",
    [JOB_NAME_LABEL]: metadata.name ?? "",
  };
  for (const [key, value] of Object.entries(wanted)) {
    const actual = labels[key];
    if (actual === undefined) errors.push(requiredField(`spec.template.metadata.labels[${key}]`, `must be '${value}'`));
    else if (actual !== value) errors.push(invalidField(`spec.template.metadata.labels[${key}]`, labels, `must be '${value}'`));
  }
  return errors;
}

/** The spec of a job, or of the jobs of a CronJob (which get their selector later). */
export function validateJobSpec(spec: JobSpec, path: string): Errors {
  const errors: FieldError[] = [];
  for (const field of ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"] as const) {
    errors.push(...notNegative(spec[field], `${path}.${field}`));
  }
  errors.push(
    ...notNegative(spec.backoffLimitPerIndex, `${path}.backoffLimitPerIndex`),
    ...notNegative(spec.maxFailedIndexes, `${path}.maxFailedIndexes`),
  );
  errors.push(...validateMode(spec, path));
  if (spec.podFailurePolicy !== undefined) errors.push(...validateFailurePolicy(spec, spec.podFailurePolicy, `${path}.podFailurePolicy`));
  if (spec.successPolicy !== undefined) errors.push(...validateSuccessPolicy(spec, spec.successPolicy, `${path}.successPolicy`));
  if (spec.podReplacementPolicy !== undefined) {
    const policies = spec.podFailurePolicy === undefined ? ["Failed", "TerminatingOrFailed"] : ["Failed"];
    errors.push(...optionalEnum(spec.podReplacementPolicy, policies, `${path}.podReplacementPolicy`));
  }
  errors.push(...validatePodTemplate(spec.template, `${path}.template`));
  return [...errors, ...validateJobRestartPolicy(spec, `${path}.template.spec.restartPolicy`)];
}

function validateJobRestartPolicy({ template, podFailurePolicy }: JobSpec, path: string): Errors {
  const policy = template.spec?.restartPolicy ?? "";
  if (policy === "" || policy === "Always") return [requiredField(path, 'valid values: "OnFailure", "Never"')];
  if (policy !== "OnFailure" && policy !== "Never") return [unsupportedField(path, policy, ["OnFailure", "Never"])];
  if (podFailurePolicy !== undefined && policy !== "Never") {
    return [invalidField(path, policy, 'only "Never" is supported when podFailurePolicy is specified')];
  }
  return [];
}

function validateMode(spec: JobSpec, path: string): Errors {
  const errors: FieldError[] = [];
  const { completionMode, completions, parallelism = 0 } = spec;
  errors.push(...optionalEnum(completionMode, ["NonIndexed", "Indexed"], `${path}.completionMode`));
  if (completionMode === "Indexed") {
    if (completions === undefined) errors.push(requiredField(`${path}.completions`, "when completion mode is Indexed"));
    if (parallelism > MAX_INDEXED) {
      const message = `must be less than or equal to ${MAX_INDEXED} when completion mode is Indexed`;
      errors.push(invalidField(`${path}.parallelism`, parallelism, message));
    }
    if (spec.maxFailedIndexes !== undefined && completions !== undefined && spec.maxFailedIndexes > completions) {
      errors.push(invalidField(`${path}.maxFailedIndexes`, spec.maxFailedIndexes, "must be less than or equal to completions"));
    }
  } else {
    for (const field of ["backoffLimitPerIndex", "maxFailedIndexes"] as const) {
      if (spec[field] !== undefined) errors.push(requiredField(`${path}.completionMode`, `must be Indexed when ${field} is set`));
    }
  }
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.push(requiredField(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  }
  return errors;
}

function validateFailurePolicy({ template, backoffLimitPerIndex }: JobSpec, { rules }: PodFailurePolicy, path: string): Errors {
  const names = [...(template.spec?.containers ?? []), ...(template.spec?.initContainers ?? [])].map(({ name }) => name);
  const errors: FieldError[] = [];
  if (rules.length > 20) errors.push({ type: "TooMany", field: `${path}.rules`, actual: rules.length, max: 20 });
  for (const [i, rule] of rules.entries())
    errors.push(...validateFailureRule(rule, names, backoffLimitPerIndex !== undefined, `${path}.rules[${i}]`));
  return errors;
}

function validateFailureRule(rule: PodFailurePolicyRule, containers: readonly string[], perIndex: boolean, path: string): Errors {
  const { action, onExitCodes, onPodConditions = [] } = rule;
  const errors: FieldError[] = [...requiredEnum(action, ["Count", "FailIndex", "FailJob", "Ignore"], `${path}.action`)];
  if (action === "FailIndex" && !perIndex) {
    errors.push(invalidField(`${path}.action`, action, "requires the backoffLimitPerIndex to be set"));
  }
  if (onExitCodes !== undefined) {
    const { operator, values, containerName } = onExitCodes;
    const at = `${path}.onExitCodes`;
    errors.push(...requiredEnum(operator, ["In", "NotIn"], `${at}.operator`));
    if (containerName !== undefined && !containers.includes(containerName)) {
      errors.push(
        invalidField(`${at}.containerName`, containerName, "must be one of the container or initContainer names in the pod template"),
      );
    }
    if (values.length === 0) errors.push(invalidField(`${at}.values`, values, "at least one value is required"));
    if (values.length > 255) errors.push({ type: "TooMany", field: `${at}.values`, actual: values.length, max: 255 });
    if (operator === "In") {
      for (const [i, value] of values.entries()) {
        if (value === 0) errors.push(invalidField(`${at}.values[${i}]`, value, "must not be 0 for the In operator"));
      }
    }
    if (new Set(values).size < values.length) errors.push(invalidField(`${at}.values`, values, "must be unique"));
    if (values.some((value, i) => value < (values[i - 1] ?? value))) errors.push(invalidField(`${at}.values`, values, "must be ordered"));
    if (onPodConditions.length > 0) {
      errors.push(invalidField(path, "", "specifying both OnExitCodes and OnPodConditions is not supported"));
    }
  } else if (onPodConditions.length === 0) {
    errors.push(invalidField(path, "", "specifying one of OnExitCodes and OnPodConditions is required"));
  }
  for (const [i, { type, status }] of onPodConditions.entries()) {
    const at = `${path}.onPodConditions[${i}]`;
    errors.push(...follows(isLabelKey, type ?? "", `${at}.type`));
    errors.push(...requiredEnum(status, ["False", "True", "Unknown"], `${at}.status`));
  }
  return errors;
}

function validateSuccessPolicy({ completionMode, completions }: JobSpec, { rules }: SuccessPolicy, path: string): Errors {
  if (completionMode !== "Indexed") return [invalidField(path, { rules }, "requires indexed job")];
  if (rules.length === 0)
    return [requiredField(`${path}.rules`, "at least one rules must be specified when the successPolicy is specified")];
  return rules.flatMap(({ succeededCount, succeededIndexes }, i) => {
    const at = `${path}.rules[${i}]`;
    const errors: FieldError[] = [];
    if (succeededCount === undefined && isMissing(succeededIndexes)) {
      errors.push(requiredField(at, "at least one of succeededCount or succeededIndexes must be specified"));
    }
    errors.push(...notNegative(succeededCount, `${at}.succeededCount`));
    if (succeededCount !== undefined && completions !== undefined && succeededCount > completions) {
      errors.push(
        invalidField(
          `${at}.succeededCount`,
          succeededCount,
          `must be less than or equal to ${completions} (the number of specified completions)`,
        ),
      );
    }
    return errors;
  });
}

const FIXED = [
  "selector",
  "completionMode",
  "podFailurePolicy",
  "backoffLimitPerIndex",
  "managedBy",
  "successPolicy",
] as const satisfies readonly (keyof JobSpec)[];

export function validateJobUpdate(next: Job, previous: Job): Errors {
  const errors: FieldError[] = [];
  if (!same(next.spec.completions, previous.spec.completions)) errors.push(...validateCompletionsUpdate(next.spec, previous.spec));
  errors.push(
    ...immutable(templateToCompare(next, previous), previous.spec.template, "spec.template").map(
      (e) => ({ ...e, value: next.spec.template }) as FieldError,
    ),
  );
  for (const field of FIXED) errors.push(...immutable(next.spec[field], previous.spec[field], `spec.${field}`));
  return errors;
}

/** An indexed job may grow or shrink as long as parallelism moves along. */
function validateCompletionsUpdate(next: JobSpec, previous: JobSpec): Errors {
  if (previous.completionMode !== "Indexed") return immutable(next.completions, previous.completions, "spec.completions");
  if (next.completions === undefined) return [requiredField("spec.completions", "cannot be nil")];
  if (next.completions !== next.parallelism) {
    return [invalidField("spec.completions", next.completions, "can only be modified in tandem with spec.parallelism")];
  }
  return [];
}

/** While a job is suspended and never ran, a queueing controller may still say where its pods shall go. */
function templateToCompare(next: Job, previous: Job): JobSpec["template"] {
  if (previous.spec.suspend !== true || previous.status?.startTime !== undefined) return next.spec.template;
  const { template } = next.spec;
  const { nodeSelector: _n, tolerations: _t, affinity: _a, schedulingGates: _g, ...spec } = template.spec ?? { containers: [] };
  const { labels: _l, annotations: _an, ...metadata } = template.metadata ?? {};
  const before = previous.spec.template;
  return {
    metadata: {
      ...metadata,
      ...(before.metadata?.labels === undefined ? {} : { labels: before.metadata.labels }),
      ...(before.metadata?.annotations === undefined ? {} : { annotations: before.metadata.annotations }),
    },
    spec: {
      ...spec,
      ...(before.spec?.nodeSelector === undefined ? {} : { nodeSelector: before.spec.nodeSelector }),
      ...(before.spec?.tolerations === undefined ? {} : { tolerations: before.spec.tolerations }),
      ...(before.spec?.affinity === undefined ? {} : { affinity: before.spec.affinity }),
      ...(before.spec?.schedulingGates === undefined ? {} : { schedulingGates: before.spec.schedulingGates }),
    },
  };
}
