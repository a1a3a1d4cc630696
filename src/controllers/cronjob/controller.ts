import { CronJobKind } from "#kinds/batch/cron-job.ts";
import { JobKind } from "#kinds/batch/job.ts";
import { keyOf } from "#machinery/object.ts";
import { defineController, watching } from "../define.ts";
import { splitKey } from "../keys.ts";
import { controllerUid, ownerKeys } from "../owners.ts";
import { planCronJob } from "./plan.ts";

export const cronJobController = defineController({
  name: "cronjob",
  connect({ informers }) {
    const cronJobs = informers.informer(CronJobKind);
    const jobs = informers.informer(JobKind, { indexes: { controller: controllerUid } });
    return {
      watches: [
        watching(cronJobs, ({ object }) => [keyOf(object)]),
        watching(jobs, (event) => ownerKeys(CronJobKind, event, () => [])), // CronJobs adopt nothing
      ],
      observe(key, { now }) {
        const cronJob = cronJobs.lister.get(splitKey(key));
        if (cronJob === undefined) return undefined;
        const { namespace = "", uid } = cronJob.metadata;
        return {
          cronJob,
          jobs: jobs.lister.byIndex("controller", uid),
          nameTaken: (name) => jobs.lister.get({ name, namespace }) !== undefined,
          now,
        };
      },
    };
  },
  plan: planCronJob,
});
