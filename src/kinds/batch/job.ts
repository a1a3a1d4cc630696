import type { Job } from "#machinery/api/batch-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const JobKind = defineKind<Job>({
  group: "batch",
  version: "v1",
  kind: "Job",
  plural: "jobs",
  categories: ["all"],
  scope: "Namespaced",
  typeName: "io.k8s.api.batch.v1.Job",
  subresources: [STATUS],
});
