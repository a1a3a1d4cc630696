import { JobKind } from "#kinds/batch/job.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import { keyOf } from "#machinery/object.ts";
import { labelSelectorFrom, matchesLabels } from "#machinery/selector.ts";
import { defineController, watching } from "../define.ts";
import { splitKey } from "../keys.ts";
import { controllerOf, controllerUid, orphanNamespace, ownerKeys, refersTo } from "../owners.ts";
import { planJob } from "./plan.ts";

/** What `managedBy` says where this controller is meant. */
const OURS = "kubernetes.io/job-controller";

export const jobController = defineController({
  name: "job",
  connect({ informers }) {
    const jobs = informers.informer(JobKind);
    const pods = informers.informer(PodKind, { indexes: { controller: controllerUid, orphans: orphanNamespace, job: jobKey } });
    return {
      watches: [
        watching(jobs, ({ object }) => [keyOf(object)]),
        watching(pods, (event) =>
          ownerKeys(JobKind, event, (orphan) =>
            jobs.lister
              .list(orphan.metadata.namespace)
              .filter(({ spec }) => matchesLabels(labelSelectorFrom(spec.selector), orphan.metadata.labels)),
          ),
        ),
      ],
      observe(key, { now }) {
        const job = jobs.lister.get(splitKey(key));
        const named = pods.lister.byIndex("job", key);
        if (job === undefined) return { job, pods: [], strays: named, now };
        if ((job.spec.managedBy ?? OURS) !== OURS) return undefined;
        const { namespace = "", uid } = job.metadata;
        return {
          job,
          pods: [...pods.lister.byIndex("controller", uid), ...pods.lister.byIndex("orphans", namespace)],
          strays: named.filter((pod) => controllerOf(pod)?.uid !== uid),
          now,
        };
      },
    };
  },
  plan: planJob,
});

/** Index function: the key of the Job that controls a pod, whether it exists or not. */
function jobKey(pod: Pod): readonly string[] {
  const owner = controllerOf(pod);
  return owner === undefined || !refersTo(owner, JobKind) ? [] : [`${pod.metadata.namespace}/${owner.name}`];
}
