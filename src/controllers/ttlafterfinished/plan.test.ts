import { expect, test } from "vitest";
import type { Job } from "#machinery/api/batch-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { meta, START } from "#testing/builders.ts";
import { planTtlAfterFinished } from "./plan.ts";

const END = Date.parse(START);

function job(ttlSecondsAfterFinished: number | undefined, type: string): Stored<Job> {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: meta("job", "pi", { namespace: "default" }),
    spec: { template: {}, ...(ttlSecondsAfterFinished === undefined ? {} : { ttlSecondsAfterFinished }) },
    status: { conditions: [{ type, status: "True", lastTransitionTime: START }] },
  };
}

test.each([
  { name: "ended long enough ago", of: job(30, "Complete"), afterMs: 30_000, deletes: 1, recheck: undefined },
  { name: "a failed one too, at once with 0", of: job(0, "Failed"), afterMs: 0, deletes: 1, recheck: undefined },
  { name: "not yet", of: job(30, "Complete"), afterMs: 10_000, deletes: 0, recheck: 20_000 },
  { name: "not ended", of: job(0, "FailureTarget"), afterMs: 10_000, deletes: 0, recheck: undefined },
  { name: "without a limit", of: job(undefined, "Complete"), afterMs: 10_000, deletes: 0, recheck: undefined },
])("planTtlAfterFinished(): $name", ({ of, afterMs, deletes, recheck }) => {
  const plan = planTtlAfterFinished({ job: of, now: END + afterMs });
  expect(plan.actions).toHaveLength(deletes);
  expect(plan.recheckAfterMs).toBe(recheck);
  if (deletes > 0)
    expect(plan.actions[0]).toMatchObject({
      object: { uid: "job-pi" },
      options: { propagationPolicy: "Foreground", resourceVersion: "1" },
    });
});
