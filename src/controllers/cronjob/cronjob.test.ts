import { describe, expect, test } from "vitest";
import { createFakeClock, formatTime } from "#base/clock.ts";
import { CronJobKind } from "#kinds/batch/cron-job.ts";
import { JobKind } from "#kinds/batch/job.ts";
import type { CronJob, CronJobSpec, Job } from "#machinery/api/batch-v1.ts";
import { type ObjectRef, refOf, type Stored } from "#machinery/object.ts";
import { startFakeWorld } from "#testing/fake-world.ts";
import { cronJobController } from "./controller.ts";
import { mostRecent } from "./plan.ts";
import { parseSchedule } from "./schedule.ts";

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ref: ObjectRef = { name: "report", namespace: "default" };

function cronJob(spec: Partial<CronJobSpec>): CronJob {
  const template = { spec: { restartPolicy: "Never" as const, containers: [{ name: "main", image: "report" }] } };
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "report", namespace: "default" },
    spec: {
      schedule: "*/5 * * * *",
      concurrencyPolicy: "Allow",
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
      jobTemplate: { spec: { template } },
      ...spec,
    },
  };
}

async function start(spec: Partial<CronJobSpec>, at = "2030-01-01T00:00:30Z") {
  const world = await startFakeWorld([cronJobController], { clock: createFakeClock(at) });
  const { client, clock, signal } = world;
  await client.create(CronJobKind, cronJob(spec), signal);
  return {
    ...world,
    jobs: () => client.all<Job>(JobKind),
    get: () => client.get(CronJobKind, ref, signal),
    reasons: () => world.notes.map(({ reason, message }) => `${reason} ${message}`),
    async end(job: Stored<Job> | undefined, type: "Complete" | "Failed"): Promise<void> {
      if (job === undefined) throw new Error("Cannot end a job: there is none, wanted an active one");
      const time = formatTime(clock.now());
      const conditions = [{ type, status: "True", lastTransitionTime: time }];
      const status = { conditions, startTime: job.metadata.creationTimestamp, ...(type === "Complete" ? { completionTime: time } : {}) };
      await client.patch(JobKind, refOf(job), { type: "merge", body: { status } }, {}, signal);
      await clock.advance(1);
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

const minutesOf = (at: string) => Date.parse(at) / MINUTE;

describe("the CronJob controller", () => {
  test("starts a job when it is due, keeps track of it and of its end", async () => {
    await using world = await start({ timeZone: "Europe/Berlin" });
    await world.clock.advance(4 * MINUTE);
    expect(world.jobs()).toEqual([]);
    await world.clock.advance(MINUTE);
    const [job] = world.jobs();
    const name = `report-${minutesOf("2030-01-01T00:05:00Z")}`;
    expect(job?.metadata).toMatchObject({
      name,
      annotations: { "batch.kubernetes.io/cronjob-scheduled-timestamp": "2030-01-01T01:05:00+01:00" },
      ownerReferences: [{ kind: "CronJob", name: "report", controller: true }],
    });
    expect((await world.get()).status).toMatchObject({ active: [{ kind: "Job", name }], lastScheduleTime: "2030-01-01T00:05:00Z" });
    await world.end(job, "Complete");
    const { status } = await world.get();
    expect(status).toEqual({ lastScheduleTime: "2030-01-01T00:05:00Z", lastSuccessfulTime: "2030-01-01T00:05:30Z" });
    expect(world.reasons()).toEqual([
      `SuccessfulCreate Created job ${name}`,
      `SawCompletedJob Saw completed job: ${name}, condition: Complete`,
    ]);
  });

  test("Forbid waits for the end, Replace ends the one before, Allow does neither", async () => {
    const counts: Record<string, number> = {};
    for (const concurrencyPolicy of ["Forbid", "Replace", "Allow"] as const) {
      await using world = await start({ concurrencyPolicy });
      await world.clock.advance(16 * MINUTE);
      counts[concurrencyPolicy] = world.jobs().length;
      if (concurrencyPolicy !== "Forbid") continue;
      const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
      expect(world.reasons()).toContain(`JobAlreadyActive ${message}`);
    }
    expect(counts).toEqual({ Forbid: 1, Replace: 1, Allow: 3 });
  });

  test("keeps as many ended jobs as the limits say", async () => {
    await using world = await start({ successfulJobsHistoryLimit: 2, failedJobsHistoryLimit: 0 });
    for (let run = 0; run < 6; run++) {
      await world.clock.advance(5 * MINUTE);
      await world.end(world.jobs().at(-1), run % 3 === 2 ? "Failed" : "Complete");
    }
    expect(world.jobs()).toHaveLength(2);
    expect(world.reasons().filter((text) => text.startsWith("SuccessfulDelete"))).toHaveLength(4);
    const written = world.client.writes;
    await world.client.patch(CronJobKind, ref, { type: "merge", body: { spec: { suspend: true } } }, {}, world.signal);
    await world.clock.advance(DAY);
    expect(world.client.writes).toBe(written + 1);
  });

  test("a start that is too late is told and left out", async () => {
    await using world = await start({ schedule: "0 1 * * *", startingDeadlineSeconds: 60, suspend: true });
    await world.clock.advance(HOUR + 90_000);
    await world.client.patch(CronJobKind, ref, { type: "merge", body: { spec: { suspend: false } } }, {}, world.signal);
    await world.clock.advance(MINUTE);
    expect(world.jobs()).toEqual([]);
    await world.clock.advance(DAY);
    expect(world.jobs()).toHaveLength(1);
  });

  test("through a year of Berlin: hours that are skipped start nothing, hours that come twice start two", async () => {
    await using world = await start({ schedule: "30 2 * * *", timeZone: "Europe/Berlin", successfulJobsHistoryLimit: 0 });
    const starts: string[] = [];
    for (let day = 0; day < 365; day++) {
      for (const step of [DAY / 2, DAY / 2]) {
        await world.clock.advance(step);
        for (const job of world.jobs()) {
          starts.push(job.metadata.annotations?.["batch.kubernetes.io/cronjob-scheduled-timestamp"] ?? "");
          await world.end(job, "Complete");
        }
      }
    }
    expect(starts).toHaveLength(365);
    expect(starts.slice(0, 2)).toEqual(["2030-01-01T02:30:00+01:00", "2030-01-02T02:30:00+01:00"]);
    expect(starts.some((at) => at.startsWith("2030-03-31"))).toBe(false);
    expect(starts.filter((at) => at.startsWith("2030-10-27"))).toEqual(["2030-10-27T02:30:00+02:00", "2030-10-27T02:30:00+01:00"]);
    expect(starts.filter((at) => at.startsWith("2030-07-01"))).toEqual(["2030-07-01T02:30:00+02:00"]);
  }, 60_000);
});

describe("parseSchedule()", () => {
  const next = (text: string, after: string, zone = "UTC") => {
    const at = parseSchedule(text, zone).next(Date.parse(after));
    return at === undefined ? undefined : formatTime(at);
  };
  test.each([
    ["*/15 * * * *", "2030-01-01T00:15:00Z", "2030-01-01T00:30:00Z"],
    ["5/20 * * * *", "2030-01-01T00:26:00Z", "2030-01-01T00:45:00Z"],
    ["0 0 ? * mon-fri", "2030-01-04T12:00:00Z", "2030-01-07T00:00:00Z"],
    ["0 0 13 * 5", "2030-01-01T00:00:00Z", "2030-01-04T00:00:00Z"],
    ["0 0 30 2 *", "2030-01-01T00:00:00Z", undefined],
    ["0 0 29 2 *", "2030-01-01T00:00:00Z", "2032-02-29T00:00:00Z"],
    ["@hourly", "2030-01-01T00:00:00Z", "2030-01-01T01:00:00Z"],
    ["@weekly", "2030-01-01T00:00:00Z", "2030-01-06T00:00:00Z"],
    ["@every 1h30m", "2030-01-01T00:00:00.700Z", "2030-01-01T01:30:00Z"],
  ])("%s after %s is due at %s", (text, after, at) => {
    expect(next(text, after)).toBe(at);
  });

  test("hourly in a zone that leaps runs every hour", () => {
    const schedule = parseSchedule("0 * * * *", "America/New_York");
    for (let at: number | undefined = Date.parse("2030-11-02T12:00:00Z"), i = 0; i < 24; i++) {
      const following = schedule.next(at);
      expect(following).toBe(at + HOUR);
      at = following ?? at;
    }
  });

  test("mostRecent() finds the latest of many missed starts", () => {
    const start = Date.parse("2030-01-01T00:00:30Z");
    const daily = mostRecent(parseSchedule("0 9 * * 1-5", "UTC"), start, start + 300 * DAY);
    expect(formatTime(daily.at ?? 0)).toBe("2030-10-25T09:00:00Z");
    expect(mostRecent(parseSchedule("* * * * *", "UTC"), start, start + DAY)).toMatchObject({ missed: 1440 });
  });
});
