import { spawn } from "node:child_process";
import { mkdir, open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { readIfThere, writeFileAtomic } from "#base/node/files.ts";
import { readProcess, sendSignal } from "#cri/containerd/processes.ts";
import { CommandError } from "./cluster.ts";

/** Exit code of a program that cannot start with what it was given: starting it again would not help (sysexits EX_CONFIG). */
export const EXIT_CONFIG = 78;

/**
 * Keeps one program running: starts it again after 1 s when it ends, later after up to 10 s, until SIGTERM, which it
 * passes on and waits for. A shell does this in less than a megabyte. Arguments: file for the program's pid, then the program.
 */
const SUPERVISOR = `#!/bin/sh
pidfile=$1; shift; stop=; delay=1; child=
trap 'stop=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT HUP
while [ -z "$stop" ]; do
  "$@" &
  child=$!; echo "$child" > "$pidfile"
  code=0; wait "$child" || code=$?
  while [ -n "$stop" ] && kill -0 "$child" 2>/dev/null; do wait "$child" || :; done
  [ -z "$stop" ] || break
  [ "$code" != ${EXIT_CONFIG} ] || break
  echo "supervisor: $(basename "$pidfile" .child) ended with code $code, starting it again in $delay s" >&2
  child=; sleep "$delay" & wait $! || :
  delay=$((delay * 2)); [ "$delay" -le 10 ] || delay=10
done
rm -f "$pidfile"
`;

export interface Supervised {
  /** File that names the supervisor; the program's own pid is beside it in `<file>.child`. */
  readonly record: string;
  readonly argv: readonly [string, ...string[]];
  readonly log: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a program under a supervisor that outlives us, unless it already runs. Resolves with whether it was started. */
export async function startSupervised({ record, argv, log, env }: Supervised): Promise<boolean> {
  if ((await findSupervised(record)) !== undefined) return false;
  await mkdir(dirname(record), { recursive: true });
  await mkdir(dirname(log), { recursive: true });
  const output = await open(log, "a", 0o600);
  try {
    const script = join(dirname(record), "supervise.sh");
    await writeFileAtomic(script, SUPERVISOR, { mode: 0o700 });
    const child = spawn("/bin/sh", [script, `${record}.child`, ...argv], {
      detached: true,
      stdio: ["ignore", output.fd, output.fd],
      env: { ...process.env, ...env },
      cwd: "/",
    });
    const { pid } = child;
    if (pid === undefined) throw new CommandError(`Cannot start ${argv[0]}: the shell did not start`);
    child.unref();
    await writeFileAtomic(record, JSON.stringify({ pid, startTime: (await readProcess(pid))?.startTime }));
    return true;
  } finally {
    await output.close();
  }
}

export interface RunningSupervised {
  readonly supervisor: number;
  /** The program itself; undefined between two starts. */
  readonly program: number | undefined;
}

/** The supervisor that the record names, if it still is that process. */
export async function findSupervised(record: string): Promise<RunningSupervised | undefined> {
  const text = await readIfThere(record);
  if (text === undefined) return undefined;
  const { pid, startTime } = JSON.parse(text) as { pid: number; startTime: string };
  const found = await readProcess(pid);
  if (found === undefined || found.state === "Z" || found.startTime !== startTime) return undefined;
  const program = Number(await readIfThere(`${record}.child`));
  const child = Number.isInteger(program) && program > 0 ? await readProcess(program) : undefined;
  return { supervisor: pid, program: child?.parent === pid && child.state !== "Z" ? program : undefined };
}

/** Stops supervisor and program: SIGTERM, then SIGKILL after `graceMs`. Does nothing when they do not run. */
export async function stopSupervised(
  record: string,
  { clock, graceMs = 10_000 }: { clock: Clock; graceMs?: number },
  signal: AbortSignal,
): Promise<void> {
  const running = await findSupervised(record);
  if (running !== undefined) {
    sendSignal(running.supervisor, "SIGTERM");
    const deadline = clock.now() + graceMs;
    for (;;) {
      const left = await findSupervised(record);
      if (left === undefined) break;
      if (clock.now() > deadline) {
        sendSignal(left.supervisor, "SIGKILL");
        if (left.program !== undefined) sendSignal(left.program, "SIGKILL");
      }
      await clock.sleep(20, signal);
      signal.throwIfAborted();
    }
  }
  await Promise.all([rm(record, { force: true }), rm(`${record}.child`, { force: true })]);
}
