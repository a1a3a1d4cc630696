import type { CronJob } from "#machinery/api/batch-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

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
});
