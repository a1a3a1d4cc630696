import { JobKind } from "#kinds/batch/job.ts";
import type { Job } from "#machinery/api/batch-v1.ts";
import type { Container, Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { controllerRef } from "../owners.ts";
import { podFromTemplate } from "../pods.ts";
import { INDEX_FAILURES, INDEX_IGNORED, type IndexFailures } from "./failures.ts";
import { COMPLETION_INDEX } from "./indexes.ts";

export const TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking";
const INDEX_VARIABLE = "JOB_COMPLETION_INDEX";

/** A pod that cannot vanish before it is counted. */
export function jobPod(job: Stored<Job>): Pod {
  const pod = podFromTemplate(job.spec.template, job.metadata.namespace, controllerRef(JobKind, job));
  return { ...pod, metadata: { ...pod.metadata, finalizers: [...(pod.metadata.finalizers ?? []), TRACKING_FINALIZER] } };
}

/** The pod of one index: it learns its index from an annotation, a label, a variable and its host name. */
export function indexedPod(job: Stored<Job>, index: number, failures: IndexFailures): Pod {
  const pod = jobPod(job);
  const { labels, annotations } = pod.metadata;
  const counts =
    job.spec.backoffLimitPerIndex === undefined
      ? {}
      : {
          [INDEX_FAILURES]: String(failures.counted),
          ...(failures.ignored > 0 ? { [INDEX_IGNORED]: String(failures.ignored) } : {}),
        };
  const { initContainers } = pod.spec;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      generateName: `${job.metadata.name}-${index}-`,
      labels: { ...labels, [COMPLETION_INDEX]: String(index) },
      annotations: { ...annotations, [COMPLETION_INDEX]: String(index), ...counts },
    },
    spec: {
      ...pod.spec,
      hostname: `${job.metadata.name}-${index}`,
      containers: pod.spec.containers.map(withIndex),
      ...(initContainers === undefined ? {} : { initContainers: initContainers.map(withIndex) }),
    },
  };
}

function withIndex(container: Container): Container {
  if ((container.env ?? []).some(({ name }) => name === INDEX_VARIABLE)) return container;
  const valueFrom = { fieldRef: { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` } };
  return { ...container, env: [...(container.env ?? []), { name: INDEX_VARIABLE, valueFrom }] };
}
