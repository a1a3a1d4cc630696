import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer } from "node:net";

export interface StartedJob<Result> {
  readonly child: ChildProcess;
  readonly result: Result;
}

/** Starts a program of the bench's own and waits for its answer over IPC; the program goes on. Throws when it ends before. */
export async function startJob<Result>(
  program: string,
  job: unknown,
  signal: AbortSignal,
  wrapper: readonly string[] = [],
): Promise<StartedJob<Result>> {
  signal.throwIfAborted();
  const [file, ...args] = [...wrapper, process.execPath, program];
  const child = spawn(file, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  child.once("exit", () => signal.removeEventListener("abort", kill));
  try {
    const result = await new Promise<Result>((resolve, reject) => {
      child.once("error", reject);
      child.once("message", (message) => {
        const { result, error } = message as { result?: Result; error?: string };
        if (error === undefined) resolve(result as Result);
        else reject(new Error(error));
      });
      child.once("exit", (code, by) => reject(new Error(`Cannot run ${program}: it ended with ${by ?? code} before it answered`)));
      child.send({ job });
    });
    return { child, result };
  } catch (cause) {
    kill();
    throw cause;
  }
}

/** Like startJob, and ends the program. */
export async function runJob<Result>(program: string, job: unknown, signal: AbortSignal, wrapper: readonly string[] = []): Promise<Result> {
  const { child, result } = await startJob<Result>(program, job, signal, wrapper);
  await stopProcess(child, 0);
  return result;
}

/** The other side of `runJob`. */
export function answerJob(work: (job: never) => Promise<unknown>): void {
  process.once("message", (message) => {
    const { job } = message as { job: never }; // whoever starts the program knows what it takes
    work(job).then(
      (result) => process.send?.({ result }),
      (cause: unknown) => process.send?.({ error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) }),
    );
  });
}

/** Ends a process that was started here: politely, then not. */
export async function stopProcess(child: ChildProcess, graceMs = 5000): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  const force = setTimeout(() => child.kill("SIGKILL"), graceMs);
  child.kill("SIGTERM");
  await gone;
  clearTimeout(force);
}

export interface Usage {
  readonly residentMb: number;
  /** Of which no file is behind. */
  readonly anonymousMb: number;
  readonly cpuMs: number;
}

/** What a process has taken so far, all its threads included. */
export async function usageOf(pid: number): Promise<Usage> {
  const [status, stat] = await Promise.all([readFile(`/proc/${pid}/status`, "utf8"), readFile(`/proc/${pid}/stat`, "utf8")]);
  const kb = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { residentMb: kb("VmRSS") / 1024, anonymousMb: kb("RssAnon") / 1024, cpuMs: ticks * 10 };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("Cannot choose a port: the system gave none");
  return address.port;
}
