import { describe, expect, test } from "vitest";
import { formatFieldError } from "#machinery/field-error.ts";
import { type Body, createdAs, createErrors, decodedAs, updateErrors } from "../kind-testing.ts";
import { CronJobKind } from "./cron-job.ts";
import { isTimeZone, scheduleError } from "./cron-schedule.ts";
import { JobKind } from "./job.ts";

const template = { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } };

function job(spec: Body = {}): Body {
  return { metadata: { name: "once", namespace: "default" }, spec: { template, ...spec } };
}
function cronJob(spec: Body = {}): Body {
  return {
    metadata: { name: "often", namespace: "default" },
    spec: { schedule: "*/5 * * * *", jobTemplate: { spec: { template } }, ...spec },
  };
}

describe("JobKind", () => {
  test("runs one pod to its end, with six retries, and finds its pods by its uid", () => {
    const { spec, status, metadata } = createdAs(JobKind, job());
    const { template: pods, ...rest } = spec;
    expect(rest).toEqual({
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      selector: { matchLabels: { "batch.kubernetes.io/controller-uid": "u-1" } },
      manualSelector: false,
      completionMode: "NonIndexed",
      suspend: false,
      podReplacementPolicy: "TerminatingOrFailed",
    });
    expect(pods.metadata?.labels).toEqual({
      "batch.kubernetes.io/controller-uid": "u-1",
      "batch.kubernetes.io/job-name": "once",
      "controller-uid": "u-1",
      "job-name": "once",
    });
    expect([status, metadata.labels]).toEqual([{}, undefined]);
  });

  test.each<[string, Body, readonly string[]]>([
    ["plain", job(), []],
    [
      "pods that run forever",
      job({ template: { spec: { containers: [{ name: "c", image: "i" }] } } }),
      ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
    [
      "indexed without completions",
      job({ completionMode: "Indexed", parallelism: 2 }),
      ["spec.completions: Required value: when completion mode is Indexed"],
    ],
    ["negative parallelism", job({ parallelism: -1 }), ["spec.parallelism: Invalid value: -1: must be greater than or equal to 0"]],
    [
      "a manual selector that selects others",
      job({ manualSelector: true, selector: { matchLabels: { a: "b" } } }),
      ["spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`"],
    ],
    [
      "a failure rule for no container",
      job({ podFailurePolicy: { rules: [{ action: "FailJob", onExitCodes: { containerName: "x", operator: "In", values: [1] } }] } }),
      [
        'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "x": must be one of the container or initContainer names in the pod template',
      ],
    ],
  ])("%s", (_, body, expected) => {
    expect(createErrors(JobKind, body)).toEqual(expected);
  });

  test("parallelism may change, completions may not", () => {
    const before = createdAs(JobKind, job());
    const after = (spec: Partial<typeof before.spec>) => ({ ...before, spec: { ...before.spec, ...spec } });
    const errors = (spec: Partial<typeof before.spec>) =>
      JobKind.strategy.validateUpdate?.(after(spec), before).map(({ field, type }) => `${field} ${type}`);
    expect(errors({ parallelism: 3 })).toEqual([]);
    expect(errors({ completions: 3 })).toEqual(["spec.completions Invalid"]);
    expect(errors({ template: { ...before.spec.template, spec: { containers: [] } } })).toEqual(["spec.template Invalid"]);
  });

  test("an indexed job grows in tandem with its parallelism", () => {
    const before = createdAs(JobKind, job({ completionMode: "Indexed", completions: 2, parallelism: 2 }));
    const errors = (spec: Partial<typeof before.spec>) =>
      JobKind.strategy.validateUpdate?.({ ...before, spec: { ...before.spec, ...spec } }, before).map(formatFieldError);
    expect(errors({ completions: 4, parallelism: 4 })).toEqual([]);
    expect(errors({ completions: 4 })).toEqual([
      "spec.completions: Invalid value: 4: can only be modified in tandem with spec.parallelism",
    ]);
    const { completions: _, ...open } = before.spec;
    expect(JobKind.strategy.validateUpdate?.({ ...before, spec: open }, before).map(formatFieldError)).toEqual([
      "spec.completions: Required value: cannot be nil",
    ]);
  });

  test("a suspended job may be told where to run", () => {
    const before = createdAs(JobKind, job({ suspend: true }));
    const { spec: pods = { containers: [] } } = before.spec.template;
    const after = {
      ...before,
      spec: { ...before.spec, template: { ...before.spec.template, spec: { ...pods, nodeSelector: { zone: "a" } } } },
    };
    expect(JobKind.strategy.validateUpdate?.(after, before)).toEqual([]);
    const running = { ...before, spec: { ...before.spec, suspend: false } };
    expect(JobKind.strategy.validateUpdate?.(after, running)).toHaveLength(1);
  });
});

describe("CronJobKind", () => {
  test("lets runs overlap and keeps three successes and one failure", () => {
    const { jobTemplate, ...rest } = decodedAs(CronJobKind, cronJob()).spec;
    expect(rest).toEqual({
      schedule: "*/5 * * * *",
      concurrencyPolicy: "Allow",
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    });
    expect(jobTemplate.spec).not.toHaveProperty("completions");
  });

  test.each<[string, Body, readonly string[]]>([
    ["plain", cronJob(), []],
    ["no schedule", cronJob({ schedule: "" }), ["spec.schedule: Required value"]],
    [
      "a bad schedule",
      cronJob({ schedule: "every day" }),
      ['spec.schedule: Invalid value: "every day": expected exactly 5 fields, found 2: [every day]'],
    ],
    [
      "a zone in the schedule",
      cronJob({ schedule: "TZ=UTC 0 * * * *" }),
      ['spec.schedule: Invalid value: "TZ=UTC 0 * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead'],
    ],
    ["an unknown zone", cronJob({ timeZone: "Mars/Base" }), ['spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base']],
    [
      "a policy that is none",
      cronJob({ concurrencyPolicy: "Maybe" }),
      ['spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"'],
    ],
    [
      "a name too long for its jobs",
      { ...cronJob(), metadata: { name: "n".repeat(53), namespace: "default" } },
      [`metadata.name: Invalid value: "${"n".repeat(53)}": must be no more than 52 characters`],
    ],
    [
      "a template that runs forever",
      cronJob({ jobTemplate: { spec: { template: { spec: { containers: [{ name: "c", image: "i" }] } } } } }),
      ['spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
  ])("%s", (_, body, expected) => {
    expect(createErrors(CronJobKind, body)).toEqual(expected);
  });

  test("its schedule may change", () => {
    expect(updateErrors(CronJobKind, cronJob(), cronJob({ schedule: "@daily" }))).toEqual([]);
  });
});

describe("scheduleError()", () => {
  test.each(["* * * * *", "*/15 0-6 1,15 jan-mar mon-fri", "0 0 * * sun", "@hourly", "@every 1h30m", "? * ? * *", "5/10 * * * *"])(
    "%s is right",
    (schedule) => {
      expect(scheduleError(schedule)).toBeUndefined();
    },
  );

  test.each([
    ["", "empty spec string"],
    ["* * * *", "expected exactly 5 fields, found 4: [* * * *]"],
    ["60 * * * *", "end of range (60) above maximum (59): 60"],
    ["* * 0 * *", "beginning of range (0) below minimum (1): 0"],
    ["5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"],
    ["*/0 * * * *", "step of range should be a positive number: */0"],
    ["1-2-3 * * * *", "too many hyphens: 1-2-3"],
    ["1/2/3 * * * *", "too many slashes: 1/2/3"],
    ["x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'],
    ["* * * * 7", "end of range (7) above maximum (6): 7"],
    ["@often", "unrecognized descriptor: @often"],
    ["@every soon", 'failed to parse duration @every soon: time: invalid duration "soon"'],
  ])("%j: %s", (schedule, error) => {
    expect(scheduleError(schedule)).toBe(error);
  });

  test("isTimeZone() knows the database's names", () => {
    expect(["UTC", "Europe/Berlin", "Mars/Base", "+01:00"].map(isTimeZone)).toEqual([true, true, false, false]);
  });
});
