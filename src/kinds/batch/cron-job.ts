import type { CronJob, CronJobSpec } from "#machinery/api/batch-v1.ts";
import { type FieldError, invalidField, requiredField } from "#machinery/field-error.ts";
import { defineKind, STATUS } from "../kind.ts";
import { age, ageColumn, booleanText, column, containerColumns, nameColumn, NONE, selectorText, wideColumn } from "../printing.ts";
import { ownStatus } from "../strategy.ts";
import { type Errors, isMissing, notNegative, requiredEnum } from "../validation.ts";
import { isTimeZone, scheduleError } from "./cron-schedule.ts";
import { defaultJobSpec, validateJobSpec } from "./job-rules.ts";
import { podWarnings } from "../core/pod-warnings.ts";

export const CronJobKind = defineKind<CronJob>({
  group: "batch",
  version: "v1",
  kind: "CronJob",
  plural: "cronjobs",
  shortNames: ["cj"],
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.batch.v1.CronJob",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Schedule", "When to run, in Cron format.", ({ spec }) => spec?.schedule ?? ""),
    column("Timezone", "Time zone of the schedule.", ({ spec }) => spec?.timeZone ?? NONE),
    column("Suspend", "Whether no further runs are started.", ({ spec }) => booleanText(spec?.suspend), "boolean"),
    column("Active", "Number of jobs that run now.", ({ status }) => status?.active?.length ?? 0, "integer"),
    column("Last Schedule", "Time since a run was last started.", ({ status }, now) =>
      status?.lastScheduleTime === undefined ? NONE : age(status.lastScheduleTime, now),
    ),
    ageColumn,
    ...containerColumns<CronJob>(({ spec }) => spec?.jobTemplate?.spec?.template),
    wideColumn("Selector", "Selects the pods its jobs count.", ({ spec }) => selectorText(spec?.jobTemplate?.spec?.selector)),
  ],
  strategy: {
    warnings: ({ spec }) => podWarnings(spec.jobTemplate.spec?.template.spec, "spec.jobTemplate.spec.template.spec"),
    ...ownStatus<CronJob>({}),
    generation: "spec",
    default: (cronJob) => ({ ...cronJob, spec: defaultSpec(cronJob.spec ?? { schedule: "", jobTemplate: {} }) }),
    validate: validateCronJob,
  },
});

/** Names of its jobs are its own name and eleven characters more. */
const MAX_NAME = 52;

function defaultSpec(spec: CronJobSpec): CronJobSpec {
  return {
    ...spec,
    concurrencyPolicy: spec.concurrencyPolicy || "Allow",
    suspend: spec.suspend ?? false,
    successfulJobsHistoryLimit: spec.successfulJobsHistoryLimit ?? 3,
    failedJobsHistoryLimit: spec.failedJobsHistoryLimit ?? 1,
    jobTemplate: { ...spec.jobTemplate, spec: defaultTemplate(spec.jobTemplate?.spec) },
  };
}

/** Jobs of a CronJob are defaulted when they are made; only their pods' template is now. */
function defaultTemplate(spec: NonNullable<CronJobSpec["jobTemplate"]>["spec"]) {
  const { template } = defaultJobSpec(spec ?? { template: {} });
  return { ...spec, template };
}

function validateCronJob({ metadata, spec }: CronJob): Errors {
  const errors: FieldError[] = [];
  if (isMissing(spec.schedule)) errors.push(requiredField("spec.schedule"));
  else errors.push(...validateSchedule(spec));
  errors.push(...validateTimeZone(spec.timeZone));
  errors.push(
    ...notNegative(spec.startingDeadlineSeconds, "spec.startingDeadlineSeconds"),
    ...requiredEnum(spec.concurrencyPolicy, ["Allow", "Forbid", "Replace"], "spec.concurrencyPolicy"),
    ...validateJobSpec(spec.jobTemplate.spec ?? { template: {} }, "spec.jobTemplate.spec"),
    ...notNegative(spec.successfulJobsHistoryLimit, "spec.successfulJobsHistoryLimit"),
    ...notNegative(spec.failedJobsHistoryLimit, "spec.failedJobsHistoryLimit"),
  );
  if (spec.jobTemplate.spec?.manualSelector === true) {
    errors.push({ type: "NotSupported", field: "spec.jobTemplate.spec.manualSelector", value: true, supported: ["nil", "false"] });
  }
  const { name = "" } = metadata;
  if (name.length > MAX_NAME) errors.push(invalidField("metadata.name", name, `must be no more than ${MAX_NAME} characters`));
  return errors;
}

function validateSchedule({ schedule, timeZone }: CronJobSpec): Errors {
  if (schedule.includes("TZ=")) {
    const message =
      timeZone === undefined
        ? "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        : "cannot use both timeZone field and TZ or CRON_TZ in schedule";
    return [invalidField("spec.schedule", schedule, message)];
  }
  const error = scheduleError(schedule);
  return error === undefined ? [] : [invalidField("spec.schedule", schedule, error)];
}

function validateTimeZone(zone: string | undefined): Errors {
  if (zone === undefined) return [];
  const path = "spec.timeZone";
  if (zone === "") return [invalidField(path, zone, "timeZone must be nil or non-empty string")];
  if (zone.toLowerCase() === "local") {
    return [invalidField(path, zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones")];
  }
  return isTimeZone(zone) ? [] : [invalidField(path, zone, `unknown time zone ${zone}`)];
}
