import { setImmediate as yieldToLoop } from "node:timers/promises";

/** Something to be made durable together with its neighbours. */
export interface Job {
  /** Bytes it adds to a group. */
  readonly bytes: number;
  /** It and every job before it are durable. Called in order, before anybody can look at the answers. */
  durable(): void;
  /** Neither it nor any job after it will become durable. */
  failed(cause: Error): void;
}

export interface GroupCommit<J extends Job> {
  add(job: J): void;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
}

export interface GroupCommitSteps<J extends Job> {
  /** Makes all of them durable, or none. */
  readonly persist: (jobs: readonly J[]) => Promise<void>;
  /** After the jobs of one group have been told. */
  readonly persisted: () => void;
  /** Finds out why a group failed. */
  readonly explain: (cause: unknown) => Promise<Error>;
  /** The failed group and all jobs behind it, which were decided on top of it, are given up; the answer is what they are told. */
  readonly abandon: (reason: Error) => Error;
}

const MAX_JOBS = 4096;
const MAX_BYTES = 16 * 2 ** 20;

/** Collects jobs while the group before is being persisted: the more callers wait, the larger the groups. */
export function createGroupCommit<J extends Job>({ persist, persisted, explain, abandon }: GroupCommitSteps<J>): GroupCommit<J> {
  let queue: J[] = [];
  let running: Promise<void> | undefined;

  return {
    add(job) {
      queue.push(job);
      running ??= run();
    },
    idle: () => running ?? Promise.resolve(),
  };

  async function run(): Promise<void> {
    while (queue.length > 0) {
      await yieldToLoop(); // all callers of this turn of the loop, and those woken by the last group, go together
      const group = takeGroup();
      try {
        await persist(group);
      } catch (cause) {
        const reason = await explain(cause);
        const jobs = [...group, ...queue]; // from here to the end of the loop nothing can be added
        queue = [];
        const error = abandon(reason);
        for (const job of jobs) job.failed(error);
        continue;
      }
      for (const job of group) job.durable();
      persisted();
    }
    running = undefined;
  }

  function takeGroup(): readonly J[] {
    let bytes = 0;
    let length = 0;
    while (length < queue.length && length < MAX_JOBS && bytes < MAX_BYTES) bytes += queue[length++]?.bytes ?? 0;
    const group = queue.slice(0, length);
    queue = queue.slice(length);
    return group;
  }
}
