import { describe, expect, test } from "vitest";
import { formatTime } from "#base/clock.ts";
import { JobKind } from "#kinds/batch/job.ts";
import { PodKind } from "#kinds/core/pod.ts";
import type { Job, JobSpec } from "#machinery/api/batch-v1.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import { refOf, type Stored } from "#machinery/object.ts";
import { type FakeWorld, startFakeWorld } from "#testing/fake-world.ts";
import { isActive } from "../pods.ts";
import { jobController } from "./controller.ts";
import { TRACKING_FINALIZER } from "./new-pods.ts";

const ref = { name: "pi", namespace: "default" };
const labels = { "batch.kubernetes.io/job-name": "pi" };

function job(spec: Partial<JobSpec>): Job {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { ...ref },
    spec: {
      completions: 1,
      parallelism: 1,
      backoffLimit: 6,
      completionMode: "NonIndexed",
      suspend: false,
      podReplacementPolicy: "TerminatingOrFailed",
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { restartPolicy: "Never", containers: [{ name: "main", image: "pi" }] } },
      ...spec,
    },
  };
}

/** Starts the Job, and gives ways to end its pods and to read it. */
async function start(spec: Partial<JobSpec>, seed = 1) {
  const world = await startFakeWorld([jobController], { seed });
  const { client, clock, signal } = world;
  await client.create(JobKind, job(spec), signal);
  await clock.advance(1_000);
  const active = () => client.all(PodKind).filter(isActive);
  return {
    world,
    active,
    async end(pod: Stored<Pod> | undefined, exitCode: number): Promise<void> {
      if (pod === undefined) throw new Error("Cannot end a pod: there is none, wanted an active one");
      await endPod(world, pod, exitCode);
      await clock.advance(1_000);
    },
    get: () => client.get(JobKind, ref, signal),
    async told(): Promise<readonly string[]> {
      const { status } = await client.get(JobKind, ref, signal);
      return (status?.conditions ?? []).map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`);
    },
    patch: (body: Partial<JobSpec>) => client.patch(JobKind, ref, { type: "merge", body: { spec: body } }, {}, signal),
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

async function endPod(world: FakeWorld, pod: Stored<Pod>, exitCode: number): Promise<void> {
  const terminated = { exitCode, finishedAt: formatTime(world.clock.now()) };
  const containerStatuses = [{ name: "main", image: "pi", imageID: "", ready: false, restartCount: 0, state: { terminated } }];
  const status = { phase: exitCode === 0 ? "Succeeded" : "Failed", containerStatuses };
  await world.client.patch(PodKind, refOf(pod), { type: "merge", body: { status } }, {}, world.signal);
}

const reached = "Reached expected number of succeeded pods";

describe("the Job controller", () => {
  test("runs completions in parallel, counts every pod once and completes", async () => {
    await using run = await start({ completions: 3, parallelism: 2 });
    expect(run.active()).toHaveLength(2);
    expect(run.active()[0]?.metadata).toMatchObject({ generateName: "pi-", finalizers: [TRACKING_FINALIZER] });
    expect((await run.get()).status).toMatchObject({ active: 2, ready: 0, terminating: 0, startTime: "2030-01-01T00:00:00Z" });
    for (let i = 0; i < 3; i++) await run.end(run.active()[0], 0);
    const { status } = await run.get();
    expect(status).toMatchObject({ succeeded: 3, ready: 0, uncountedTerminatedPods: {}, completionTime: expect.any(String) });
    expect(status).not.toHaveProperty("active");
    expect(await run.told()).toEqual([
      `SuccessCriteriaMet=True CompletionsReached: ${reached}`,
      `Complete=True CompletionsReached: ${reached}`,
    ]);
    expect(run.world.client.all(PodKind).flatMap(({ metadata }) => metadata.finalizers ?? [])).toEqual([]);
    expect(run.world.notes.map(({ reason }) => reason)).toEqual(["SuccessfulCreate", "SuccessfulCreate", "SuccessfulCreate", "Completed"]);
    const written = run.world.client.writes;
    await run.world.clock.advance(3_600_000);
    expect(run.world.client.writes).toBe(written);
  });

  test("waits 10 s, 20 s, 40 s after failures and gives up beyond the limit", async () => {
    await using run = await start({ backoffLimit: 2 });
    for (const waitMs of [10_000, 20_000]) {
      await run.end(run.active()[0], 1);
      expect(run.active()).toHaveLength(0);
      await run.world.clock.advance(waitMs - 2_500);
      expect(run.active()).toHaveLength(0);
      await run.world.clock.advance(2_000);
      expect(run.active()).toHaveLength(1);
    }
    await run.end(run.active()[0], 1);
    await run.world.clock.advance(60_000);
    expect(run.active()).toHaveLength(0);
    const message = "Job has reached the specified backoff limit";
    expect(await run.told()).toEqual([
      `FailureTarget=True BackoffLimitExceeded: ${message}`,
      `Failed=True BackoffLimitExceeded: ${message}`,
    ]);
    expect((await run.get()).status).toMatchObject({ failed: 3 });
    expect(run.world.notes.at(-1)).toMatchObject({ type: "Warning", reason: "BackoffLimitExceeded", message });
  });

  test("Indexed: pods know their index; limits per index fail indexes, then the Job", async () => {
    await using run = await start({
      completionMode: "Indexed",
      completions: 3,
      parallelism: 3,
      backoffLimit: 2 ** 31 - 1,
      backoffLimitPerIndex: 1,
    });
    const [zero, one, two] = run.active();
    expect(zero).toMatchObject({
      metadata: {
        generateName: "pi-0-",
        labels: { "batch.kubernetes.io/job-completion-index": "0" },
        annotations: { "batch.kubernetes.io/job-completion-index": "0", "batch.kubernetes.io/job-index-failure-count": "0" },
      },
      spec: {
        hostname: "pi-0",
        containers: [
          {
            env: [
              {
                name: "JOB_COMPLETION_INDEX",
                valueFrom: { fieldRef: { fieldPath: "metadata.labels['batch.kubernetes.io/job-completion-index']" } },
              },
            ],
          },
        ],
      },
    });
    await run.end(zero, 0);
    await run.end(two, 0);
    expect((await run.get()).status).toMatchObject({ completedIndexes: "0,2", succeeded: 2 });
    await run.end(one, 1);
    await run.world.clock.advance(12_000);
    const [again] = run.active();
    expect(again?.metadata.annotations).toMatchObject({ "batch.kubernetes.io/job-index-failure-count": "1" });
    await run.end(again, 1);
    await run.world.clock.advance(5_000);
    expect((await run.get()).status).toMatchObject({ completedIndexes: "0,2", failedIndexes: "1", failed: 2, succeeded: 2 });
    expect((await run.told()).at(-1)).toBe("Failed=True FailedIndexes: Job has failed indexes");
  });

  test("the failure policy fails the Job at once, or ignores a disruption", async () => {
    const rules = [
      { action: "FailJob" as const, onExitCodes: { containerName: "main", operator: "In" as const, values: [42] } },
      { action: "Ignore" as const, onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
    ];
    await using run = await start({ backoffLimit: 0, podFailurePolicy: { rules }, podReplacementPolicy: "Failed" });
    const [disrupted] = run.active();
    const conditions = [{ type: "DisruptionTarget", status: "True" }];
    if (disrupted === undefined) throw new Error("no pod");
    await run.world.client.patch(PodKind, refOf(disrupted), { type: "merge", body: { status: { conditions } } }, {}, run.world.signal);
    await run.end(disrupted, 143);
    expect((await run.get()).status).not.toHaveProperty("failed");
    const [second] = run.active();
    await run.end(second, 42);
    await run.world.clock.advance(5_000);
    const message = `Container main for pod default/${second?.metadata.name} failed with exit code 42 matching FailJob rule at index 0`;
    expect((await run.told()).at(-1)).toBe(`Failed=True PodFailurePolicy: ${message}`);
  });

  test("the success policy ends a Job early and its other pods with it", async () => {
    await using run = await start({
      completionMode: "Indexed",
      completions: 4,
      parallelism: 4,
      successPolicy: { rules: [{ succeededIndexes: "1-3", succeededCount: 1 }] },
    });
    await run.end(run.active()[2], 0);
    await run.world.clock.advance(5_000);
    expect(run.active()).toHaveLength(0);
    expect(await run.told()).toEqual(
      ["SuccessCriteriaMet", "Complete"].map((type) => `${type}=True SuccessPolicy: Matched rules at index 0`),
    );
    expect((await run.get()).status).toMatchObject({ completedIndexes: "2", succeeded: 1 });
    expect((await run.get()).status).not.toHaveProperty("failed");
  });

  test("suspended it has no pods; resumed it starts anew; its deadline ends it", async () => {
    await using run = await start({ suspend: true, activeDeadlineSeconds: 30 });
    expect(run.active()).toHaveLength(0);
    expect(await run.told()).toEqual(["Suspended=True JobSuspended: Job suspended"]);
    await run.world.clock.advance(60_000);
    await run.patch({ suspend: false });
    await run.world.clock.advance(1_000);
    expect(run.active()).toHaveLength(1);
    expect((await run.get()).status?.startTime).toBe("2030-01-01T00:01:01Z");
    await run.patch({ suspend: true });
    await run.world.clock.advance(1_000);
    expect(run.active()).toHaveLength(0);
    expect((await run.get()).status).not.toHaveProperty("failed");
    await run.world.clock.advance(60_000);
    await run.patch({ suspend: false });
    await run.world.clock.advance(20_000);
    expect(run.active()).toHaveLength(1);
    await run.world.clock.advance(20_000);
    const message = "Job was active longer than specified deadline";
    expect((await run.told()).slice(1)).toEqual(["FailureTarget", "Failed"].map((type) => `${type}=True DeadlineExceeded: ${message}`));
    expect(run.active()).toHaveLength(0);
    expect(run.world.notes.map(({ reason }) => reason)).toEqual([
      "Suspended",
      "SuccessfulCreate",
      "Resumed",
      "SuccessfulDelete",
      "Suspended",
      "SuccessfulCreate",
      "Resumed",
      "SuccessfulDelete",
      "DeadlineExceeded",
    ]);
  });

  test("pods of a Job that is gone do not wait for it, and managedBy leaves it alone", async () => {
    await using run = await start({});
    await run.world.client.delete(JobKind, ref, {}, run.world.signal);
    await run.world.clock.advance(1_000);
    expect(run.active()[0]?.metadata.finalizers).toBeUndefined();
    await using other = await start({ managedBy: "example.com/queue" });
    expect(other.active()).toHaveLength(0);
    expect(other.world.client.writes).toBe(1);
  });
});
