import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatTime } from "#base/clock.ts";
import { JobKind } from "#kinds/batch/job.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { refOf } from "#machinery/object.ts";
import { startFakeWorld } from "#testing/fake-world.ts";
import { isActive } from "../pods.ts";
import { jobController } from "./controller.ts";
import { isOver } from "./plan.ts";

const ref = { name: "pi", namespace: "default" };
const labels = { "batch.kubernetes.io/job-name": "pi" };

test("a Job ends, its numbers are those of its pods, and then nothing is written", async () => {
  const shape = fc.record({
    completions: fc.integer({ min: 1, max: 5 }),
    parallelism: fc.integer({ min: 1, max: 6 }),
    backoffLimit: fc.nat(3),
    completionMode: fc.constantFrom("Indexed" as const, "NonIndexed" as const),
    podReplacementPolicy: fc.constantFrom("Failed" as const, "TerminatingOrFailed" as const),
  });
  await fc.assert(
    fc.asyncProperty(shape, fc.option(fc.nat(2), { nil: undefined }), fc.nat(4), fc.nat(), async (some, perIndex, failing, seed) => {
      await using world = await startFakeWorld([jobController], { seed });
      const { client, clock, entropy, signal } = world;
      const template = { metadata: { labels }, spec: { restartPolicy: "Never" as const, containers: [{ name: "main", image: "pi" }] } };
      const limited = perIndex !== undefined && some.completionMode === "Indexed" ? { backoffLimitPerIndex: perIndex } : {};
      const spec = { ...some, ...limited, selector: { matchLabels: labels }, template };
      await client.create(JobKind, { apiVersion: "batch/v1", kind: "Job", metadata: { ...ref }, spec }, signal);
      const ended = { Succeeded: 0, Failed: 0 };
      for (let step = 0; step < 400 && !isOver(await client.get(JobKind, ref, signal)); step++) {
        await clock.advance(step < 40 ? 1_000 : 600_000);
        for (const pod of client.all(PodKind).filter(isActive)) {
          if (entropy.fraction() < 0.5) continue;
          const phase = entropy.fraction() * 5 < failing ? "Failed" : "Succeeded";
          ended[phase]++;
          const state = { terminated: { exitCode: phase === "Failed" ? 1 : 0, finishedAt: formatTime(clock.now()) } };
          const containerStatuses = [{ name: "main", image: "pi", imageID: "", ready: false, restartCount: 0, state }];
          await client.patch(PodKind, refOf(pod), { type: "merge", body: { status: { phase, containerStatuses } } }, {}, signal);
        }
        expect(client.all(PodKind).filter(isActive).length).toBeLessThanOrEqual(spec.parallelism);
      }
      const { status } = await client.get(JobKind, ref, signal);
      expect(status?.conditions?.some(({ type }) => type === "Complete" || type === "Failed")).toBe(true);
      expect(status?.uncountedTerminatedPods).toEqual({});
      expect(status?.succeeded ?? 0).toBe(ended.Succeeded);
      expect(status?.failed ?? 0).toBeGreaterThanOrEqual(ended.Failed); // and those that were stopped with the Job
      expect(client.all(PodKind).flatMap(({ metadata }) => metadata.finalizers ?? [])).toEqual([]);
      const written = client.writes;
      await clock.advance(3_600_000);
      expect(client.writes).toBe(written);
    }),
    { numRuns: 60 },
  );
}, 60_000);
