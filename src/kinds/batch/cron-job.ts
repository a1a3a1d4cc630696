import type { CronJob } from "#machinery/api/batch-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { age, ageColumn, booleanText, column, containerColumns, nameColumn, NONE, selectorText, wideColumn } from "../printing.ts";

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
});
