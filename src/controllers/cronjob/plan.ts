import { formatTime, type Instant } from "#base/clock.ts";
import { isTimeZone, scheduleError } from "#kinds/batch/cron-schedule.ts";
import { CronJobKind } from "#kinds/batch/cron-job.ts";
import { JobKind } from "#kinds/batch/job.ts";
import type { CronJob, CronJobStatus, Job } from "#machinery/api/batch-v1.ts";
import type { ObjectReference } from "#machinery/api/core-v1.ts";
import { deepEqual } from "#machinery/deep-equal.ts";
import { goQuote } from "#machinery/go-quote.ts";
import { type ObjectRef, refOf, type Stored } from "#machinery/object.ts";
import { type Action, type Announcement, type Plan, updateStatus } from "../action.ts";
import { controllerRef } from "../owners.ts";
import { parseSchedule, type Schedule, zonedTime } from "./schedule.ts";

export const SCHEDULED_ANNOTATION = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/** A little late, so that the time is surely over. */
const DELTA_MS = 100;
/** Timers do not reach a year ahead. */
const LONGEST_WAIT_MS = 6 * 3_600_000;
const MANY_MISSED = 100;

export interface ObservedCronJob {
  readonly cronJob: Stored<CronJob>;
  /** Jobs it controls. */
  readonly jobs: readonly Stored<Job>[];
  /** Whether a Job has this name, whoever it belongs to. */
  readonly nameTaken: (job: string) => boolean;
  readonly now: Instant;
}

export function planCronJob(observed: ObservedCronJob): Plan {
  const { cronJob, jobs } = observed;
  const { status, events } = nextStatus(observed);
  const writes: readonly Action[] = deepEqual(status, cronJob.status)
    ? []
    : [updateStatus(CronJobKind, { ...cronJob, status } as Stored<CronJob>)];
  if (cronJob.metadata.deletionTimestamp !== undefined) return { actions: [...events, ...writes] };
  const due = nextRun(observed, status.active ?? []);
  return { actions: [...events, ...writes, ...cleanUp(cronJob, jobs), ...due.actions], recheckAfterMs: due.recheckAfterMs };
}

function finished({ status }: Job): "Complete" | "Failed" | undefined {
  const condition = status?.conditions?.find(({ type, status }) => (type === "Complete" || type === "Failed") && status === "True");
  return condition?.type as "Complete" | "Failed" | undefined;
}

function scheduledAt(job: Job): Instant | undefined {
  const at = Date.parse(job.metadata.annotations?.[SCHEDULED_ANNOTATION] ?? "");
  return Number.isNaN(at) ? undefined : at;
}

/** Which Jobs run, and when the last one was started and succeeded, as the Jobs themselves tell. */
function nextStatus({ cronJob, jobs }: ObservedCronJob): { readonly status: CronJobStatus; readonly events: readonly Action[] } {
  const before = cronJob.status ?? {};
  const byUid = new Map(jobs.map((job) => [job.metadata.uid, job]));
  const active: ObjectReference[] = [];
  const events: Action[] = [];
  const tell = (type: "Normal" | "Warning", reason: string, message: string) =>
    void events.push({ do: "event", note: { about: cronJob, type, reason, message } });
  for (const ref of before.active ?? []) {
    const job = byUid.get(ref.uid ?? "");
    const end = job === undefined ? undefined : finished(job);
    if (job === undefined && cronJob.spec.concurrencyPolicy === "Replace") continue; // most likely deleted by this controller
    if (job === undefined) tell("Normal", "MissingJob", `Active job went missing: ${ref.name}`);
    else if (end !== undefined) tell("Normal", "SawCompletedJob", `Saw completed job: ${ref.name}, condition: ${end}`);
    else active.push(ref);
  }
  let lastSchedule = timeOf(before.lastScheduleTime);
  let lastSuccess = timeOf(before.lastSuccessfulTime);
  for (const job of jobs) {
    const at = scheduledAt(job);
    const known = (before.active ?? []).some(({ uid }) => uid === job.metadata.uid);
    if (!known && finished(job) === undefined && job.metadata.deletionTimestamp === undefined) {
      if (at === undefined)
        tell("Warning", "UnexpectedJob", `Saw a job that the controller did not create or forgot: ${job.metadata.name}`);
      else active.push(referenceTo(job));
    }
    if (at !== undefined) lastSchedule = Math.max(lastSchedule ?? at, at);
    const end = finished(job) === "Complete" ? timeOf(job.status?.completionTime) : undefined;
    if (end !== undefined) lastSuccess = Math.max(lastSuccess ?? end, end);
  }
  const status: CronJobStatus = {
    ...(active.length === 0 ? {} : { active }),
    ...(lastSchedule === undefined ? {} : { lastScheduleTime: formatTime(lastSchedule) }),
    ...(lastSuccess === undefined ? {} : { lastSuccessfulTime: formatTime(lastSuccess) }),
  };
  return { status, events };
}

function referenceTo({ metadata }: Stored<Job>): ObjectReference {
  const { name, namespace, uid, resourceVersion } = metadata;
  return { apiVersion: "batch/v1", kind: "Job", name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion };
}

function timeOf(text: string | undefined): Instant | undefined {
  const at = Date.parse(text ?? "");
  return Number.isNaN(at) ? undefined : at;
}

/** Starts the Job that is due, if the policies let it. */
function nextRun(observed: ObservedCronJob, active: readonly ObjectReference[]): Plan {
  const { cronJob, nameTaken, now } = observed;
  const { suspend, schedule: text, timeZone = "UTC", startingDeadlineSeconds, concurrencyPolicy = "Allow" } = cronJob.spec;
  const tell = (type: "Normal" | "Warning", reason: string, message: string): Action => ({
    do: "event",
    note: { about: cronJob, type, reason, message },
  });
  if (!isTimeZone(timeZone)) {
    return { actions: [tell("Warning", "UnknownTimeZone", `invalid timeZone: ${goQuote(timeZone)}: unknown time zone ${timeZone}`)] };
  }
  if (suspend === true) return { actions: [] };
  const error = scheduleError(text);
  if (error !== undefined)
    return { actions: [tell("Warning", "UnparseableSchedule", `unparseable schedule: ${goQuote(text)} : ${error}`)] };
  const schedule = parseSchedule(text, timeZone);
  const earliest = earliestOf(cronJob, now);
  const { at, missed } = mostRecent(schedule, earliest, now);
  const next = schedule.next(Math.max(now, at ?? now));
  const recheckAfterMs = next === undefined ? undefined : Math.min(next - now + DELTA_MS, LONGEST_WAIT_MS);
  const actions: Action[] = [];
  if (missed > MANY_MISSED) {
    const message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
    actions.push(tell("Warning", "TooManyMissedTimes", message));
  }
  if (at === undefined) return { actions, recheckAfterMs };
  if (startingDeadlineSeconds !== undefined && at + startingDeadlineSeconds * 1000 < now) {
    const when = new Date(at).toUTCString().replace("GMT", "+0000");
    return { actions: [...actions, tell("Warning", "MissSchedule", `Missed scheduled time to start a job: ${when}`)], recheckAfterMs };
  }
  const name = `${cronJob.metadata.name}-${Math.floor(at / 60_000)}`;
  if (nameTaken(name) || timeOf(cronJob.status?.lastScheduleTime) === at) return { actions, recheckAfterMs };
  if (concurrencyPolicy === "Forbid" && active.length > 0) {
    const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
    return { actions: [...actions, tell("Normal", "JobAlreadyActive", message)], recheckAfterMs };
  }
  if (concurrencyPolicy === "Replace") {
    for (const { name = "", uid } of active) {
      const ref: ObjectRef = { name, namespace: cronJob.metadata.namespace, ...(uid === undefined ? {} : { uid }) };
      actions.push(deleteJob(cronJob, ref, "the next one replaces it"));
    }
  }
  const announce: Announcement = {
    about: cronJob,
    done: "SuccessfulCreate",
    failed: "FailedCreate",
    noun: "job",
    wording: { done: `Created job ${name}`, failed: "Error creating job: " },
  };
  actions.push({ do: "create", kind: JobKind, object: jobOf(cronJob, name, at, timeZone), orExists: true, announce });
  return { actions, recheckAfterMs };
}

function earliestOf({ metadata, status, spec }: Stored<CronJob>, now: Instant): Instant {
  const since = timeOf(status?.lastScheduleTime) ?? timeOf(metadata.creationTimestamp) ?? now;
  return spec.startingDeadlineSeconds === undefined ? since : Math.max(since, now - spec.startingDeadlineSeconds * 1000);
}

/** The latest time that has come after `earliest`, and about how many came. */
export function mostRecent(
  schedule: Schedule,
  earliest: Instant,
  now: Instant,
): { readonly at: Instant | undefined; readonly missed: number } {
  const first = schedule.next(earliest);
  if (first === undefined || first > now) return { at: undefined, missed: 0 };
  const second = schedule.next(first);
  if (second === undefined || second > now) return { at: first, missed: 1 };
  const missed = Math.floor((now - first) / (second - first)) + 1;
  // Near the end by the distance of the first two, then step by step; where times are not evenly spread it starts too late.
  let at = first;
  for (const from of [first + (missed - 2) * (second - first), first]) {
    const near = from === first ? first : schedule.next(from - 1);
    if (near === undefined || near > now) continue;
    at = near;
    break;
  }
  for (let next = schedule.next(at); next !== undefined && next <= now; next = schedule.next(next)) at = next;
  return { at, missed };
}

function jobOf(cronJob: Stored<CronJob>, name: string, at: Instant, timeZone: string): Job {
  const { metadata = {}, spec } = cronJob.spec.jobTemplate;
  const { namespace } = cronJob.metadata;
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(metadata.labels === undefined ? {} : { labels: metadata.labels }),
      annotations: { ...metadata.annotations, [SCHEDULED_ANNOTATION]: zonedTime(at, timeZone) },
      ownerReferences: [controllerRef(CronJobKind, cronJob)],
    },
    spec: spec ?? { template: {} },
  };
}

/** Deletes the oldest finished Jobs beyond the limits; a Job the status does not know of yet stays, so that it is not started again. */
function cleanUp(cronJob: Stored<CronJob>, jobs: readonly Stored<Job>[]): readonly Action[] {
  const last = timeOf(cronJob.status?.lastScheduleTime) ?? Number.NEGATIVE_INFINITY;
  const surplus = (end: "Complete" | "Failed", limit: number | undefined) => {
    const ended = jobs.filter((job) => finished(job) === end && job.metadata.deletionTimestamp === undefined);
    if (limit === undefined) return [];
    return ended
      .toSorted(byStart)
      .slice(0, Math.max(0, ended.length - limit))
      .filter((job) => (scheduledAt(job) ?? last) <= last);
  };
  const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = cronJob.spec;
  return [...surplus("Complete", successfulJobsHistoryLimit), ...surplus("Failed", failedJobsHistoryLimit)].map((job) =>
    deleteJob(cronJob, refOf(job), "beyond the history limit"),
  );
}

function byStart(a: Stored<Job>, b: Stored<Job>): number {
  const [x, y] = [timeOf(a.status?.startTime) ?? Number.POSITIVE_INFINITY, timeOf(b.status?.startTime) ?? Number.POSITIVE_INFINITY];
  return x === y ? (a.metadata.name < b.metadata.name ? -1 : 1) : x < y ? -1 : 1;
}

function deleteJob(cronJob: Stored<CronJob>, object: ObjectRef, because: string): Action {
  return {
    do: "delete",
    kind: JobKind,
    object,
    because,
    options: { propagationPolicy: "Background" },
    announce: {
      about: cronJob,
      done: "SuccessfulDelete",
      failed: "FailedDelete",
      noun: "job",
      wording: { done: `Deleted job ${object.name}`, failed: "Deleted job: " },
    },
  };
}
