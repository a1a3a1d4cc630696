import { spawn } from "node:child_process";
import { mkdir, open, readFile, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { dirname } from "node:path";
import type { Clock } from "#base/clock.ts";
import { readIfThere, writeFileAtomic } from "#base/node/files.ts";
import { ContainerdError } from "./error.ts";
import type { ContainerdLayout } from "./layout.ts";
import { networkNamespaceOf, readProcess, sendSignal } from "./processes.ts";
import { stopContainerd } from "./stop.ts";

export interface Containerd {
  readonly pid: number;
  readonly socket: string;
  /** Whether it ran before this call. */
  readonly adopted: boolean;
}

export interface StartOptions {
  readonly layout: ContainerdLayout;
  /** What renderContainerdConfig gives. */
  readonly config: string;
  /** File of the network namespace it runs in, such as /run/netns/navarch-default-node-1; the caller's own when absent. */
  readonly netns?: string;
  /** Added to the environment, which shims inherit: marks by which what is left of a cluster can be found. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default "/usr/bin/containerd" */
  readonly program?: string;
  /** @default 15_000 */
  readonly readyWithinMs?: number;
}

/**
 * Starts a containerd of our own, or adopts the one that runs in this layout.
 *
 * C1. It outlives the caller, and so do the containers: nothing but stopContainerd ends it.
 * C2. One that runs with the same configuration in the same namespace is adopted. Another configuration restarts the daemon alone,
 *     its containers go on; another namespace stops its containers too, as their network is gone.
 * C3. Resolves when its socket accepts connections. Rejects with the end of its log when it ends or is late; nothing is left running.
 */
export async function startContainerd({ clock }: { clock: Clock }, options: StartOptions, signal: AbortSignal): Promise<Containerd> {
  const { layout, config, netns, program = "/usr/bin/containerd", readyWithinMs = 15_000 } = options;
  const running = await findContainerd(layout);
  if (running !== undefined) {
    const wanted = await networkNamespaceOf(netns ?? process.pid);
    if ((await networkNamespaceOf(running.pid)) !== wanted)
      await stopContainerd({ clock }, layout, signal); // C2
    else if ((await readIfThere(layout.config)) !== config) await terminate(running.pid, clock, signal);
    else if (await waitForSocket(layout.socket, running.pid, { clock, withinMs: readyWithinMs, signal })) {
      return { pid: running.pid, socket: layout.socket, adopted: true };
    } else await terminate(running.pid, clock, signal);
  }

  await Promise.all(
    [layout.root, layout.state, dirname(layout.socket), dirname(layout.log)].map((path) => mkdir(path, { recursive: true, mode: 0o711 })),
  );
  await rm(layout.socket, { force: true });
  await writeFileAtomic(layout.config, config);
  const log = await open(layout.log, "a", 0o600);
  const logStart = (await log.stat()).size;
  // On the command line too: a configuration that forgot them would make containerd take over the machine's own directories.
  const places = ["--root", layout.root, "--state", layout.state, "--address", layout.socket];
  const argv = [...(netns === undefined ? [] : ["nsenter", `--net=${netns}`]), program, "--config", layout.config, ...places];
  let failure: Error | undefined;
  let pid: number | undefined;
  try {
    const child = spawn(argv[0] ?? program, argv.slice(1), {
      detached: true, // C1: a session of its own, no terminal, no signals of ours
      stdio: ["ignore", log.fd, log.fd],
      env: { ...process.env, ...options.env },
      cwd: "/",
    });
    child.on("error", (cause) => {
      failure = cause;
    });
    child.unref();
    pid = child.pid;
  } finally {
    await log.close();
  }
  const started = pid === undefined ? undefined : await readProcess(pid);
  if (pid !== undefined && started !== undefined) {
    await writeFileAtomic(layout.pid, JSON.stringify({ pid, startTime: started.startTime, boot: await bootId() }));
    if (await waitForSocket(layout.socket, pid, { clock, withinMs: readyWithinMs, signal }))
      return { pid, socket: layout.socket, adopted: false };
    await terminate(pid, clock, new AbortController().signal);
    await rm(layout.pid, { force: true });
  }
  signal.throwIfAborted();
  const found = failure?.message ?? (await endOfLog(layout.log, logStart));
  throw new ContainerdError(`Cannot start containerd: ${found || `no answer on ${layout.socket} within ${readyWithinMs} ms`}`);
}

/** The containerd that runs in this layout, told from a later process of the same number by its start time and the boot. */
export async function findContainerd(layout: Pick<ContainerdLayout, "pid">): Promise<{ pid: number } | undefined> {
  const text = await readIfThere(layout.pid);
  if (text === undefined) return undefined;
  const record = JSON.parse(text) as { pid: number; startTime: string; boot: string };
  const found = await readProcess(record.pid);
  if (found === undefined || found.state === "Z" || found.startTime !== record.startTime || record.boot !== (await bootId()))
    return undefined;
  return { pid: record.pid };
}

/** Whether the socket accepts before the time is up; false as soon as the process has ended. */
async function waitForSocket(
  socket: string,
  pid: number,
  { clock, withinMs, signal }: { clock: Clock; withinMs: number; signal: AbortSignal },
): Promise<boolean> {
  const until = clock.now() + withinMs;
  while (clock.now() < until && !signal.aborted) {
    if (await accepts(socket)) return true;
    const found = await readProcess(pid);
    if (found === undefined || found.state === "Z") return false;
    await clock.sleep(10, signal);
  }
  return false;
}

function accepts(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socket);
    connection.on("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.on("error", () => resolve(false)); // not there yet, or nobody listens: the caller asks again
  });
}

/** Ends the daemon alone; containers and their shims go on. */
async function terminate(pid: number, clock: Clock, signal: AbortSignal): Promise<void> {
  sendSignal(pid, "SIGTERM");
  const killAt = clock.now() + 5000;
  for (let found = await readProcess(pid); found !== undefined && found.state !== "Z"; found = await readProcess(pid)) {
    signal.throwIfAborted();
    if (clock.now() >= killAt) sendSignal(pid, "SIGKILL");
    await clock.sleep(10, signal);
  }
}

async function endOfLog(path: string, from: number): Promise<string> {
  const text = (await readFile(path)).subarray(from).toString("utf8");
  const lines = text.split("\n").filter((line) => line !== "");
  const said = [/^(?:containerd|nsenter):|level=fatal/, /level=error/, /./].map((pattern) => lines.filter((line) => pattern.test(line)));
  return (said.find((matching) => matching.length > 0) ?? []).slice(-3).join("; ");
}

async function bootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
}
