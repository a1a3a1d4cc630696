import { JobKind } from "#kinds/batch/job.ts";
import { keyOf } from "#machinery/object.ts";
import { defineController, watching } from "../define.ts";
import { splitKey } from "../keys.ts";
import { planTtlAfterFinished } from "./plan.ts";

export const ttlAfterFinishedController = defineController({
  name: "ttlafterfinished",
  component: "ttl-after-finished-controller",
  connect({ informers }) {
    const jobs = informers.informer(JobKind);
    return {
      watches: [
        watching(jobs, ({ type, object }) =>
          type !== "deleted" && object.spec.ttlSecondsAfterFinished !== undefined ? [keyOf(object)] : [],
        ),
      ],
      observe(key, { now }) {
        const job = jobs.lister.get(splitKey(key));
        return job === undefined ? undefined : { job, now };
      },
    };
  },
  plan: planTtlAfterFinished,
});
