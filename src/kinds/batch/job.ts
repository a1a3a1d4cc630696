import type { Job } from "#machinery/api/batch-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, containerColumns, humanDuration, nameColumn, selectorText, wideColumn } from "../printing.ts";
import { isConditionTrue } from "../conditions.ts";
import { keepStatus, onlyStatus } from "../strategy.ts";
import { defaultJob, validateJob, validateJobUpdate, withGeneratedSelector } from "./job-rules.ts";
import { podWarnings } from "../core/pod-warnings.ts";

export const JobKind = defineKind<Job>({
  group: "batch",
  version: "v1",
  kind: "Job",
  plural: "jobs",
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.batch.v1.Job",
  subresources: [STATUS],
  columns: [
    nameColumn,
    column("Status", "Status of the job.", statusText),
    column("Completions", "Pods that succeeded, of those that must.", completionsText),
    column("Duration", "Time required to complete the job.", durationText),
    ageColumn,
    ...containerColumns<Job>(({ spec }) => spec?.template),
    wideColumn("Selector", "Selects the pods it counts.", ({ spec }) => selectorText(spec?.selector)),
  ],
  strategy: {
    warnings: ({ spec }) => podWarnings(spec.template.spec, "spec.template.spec"),
    generation: "spec",
    default: defaultJob,
    prepareForCreate: (job) => withGeneratedSelector({ ...job, status: {} }),
    prepareForUpdate: keepStatus,
    prepareForStatusUpdate: onlyStatus,
    validate: validateJob,
    validateUpdate: validateJobUpdate,
    fields: ({ status }) => ({ "status.successful": String(status?.succeeded ?? 0) }),
  },
});

function statusText({ metadata, status }: Job): string {
  const has = (type: string) => isConditionTrue(status?.conditions, type);
  if (has("Complete")) return "Complete";
  if (has("Failed")) return "Failed";
  if (metadata.deletionTimestamp !== undefined) return "Terminating";
  return ["Suspended", "FailureTarget", "SuccessCriteriaMet"].find(has) ?? "Running";
}

function completionsText({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationText({ status }: Job, now: number): string {
  if (status?.startTime === undefined) return "";
  return humanDuration((status.completionTime === undefined ? now : Date.parse(status.completionTime)) - Date.parse(status.startTime));
}
