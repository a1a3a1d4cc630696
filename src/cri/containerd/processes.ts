import { readdir, readFile, stat } from "node:fs/promises";
import { hasCode } from "#base/node/files.ts";

export interface RunningProcess {
  readonly pid: number;
  readonly parent: number;
  /** Clock ticks since boot: with the pid, names one process for ever within a boot. */
  readonly startTime: string;
  /** Z is a zombie. */
  readonly state: string;
  readonly args: readonly string[];
}

/** The fields of /proc/<pid>/stat. The program's name may hold blanks and parentheses: everything counts from the last `)`. */
export function parseStat(text: string): Pick<RunningProcess, "parent" | "startTime" | "state"> {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "", parent: Number(fields[1]), startTime: fields[19] ?? "" };
}

export async function readProcess(pid: number): Promise<RunningProcess | undefined> {
  try {
    const [text, commandLine] = await Promise.all([readFile(`/proc/${pid}/stat`, "utf8"), readFile(`/proc/${pid}/cmdline`, "utf8")]);
    return { pid, ...parseStat(text), args: commandLine.split("\0").slice(0, -1) };
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "ESRCH")) return undefined;
    throw cause;
  }
}

/** All processes that this one can see, zombies left out. */
export async function listProcesses(): Promise<readonly RunningProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const processes = await Promise.all(pids.map(readProcess));
  return processes.filter((found) => found !== undefined && found.state !== "Z" && found.state !== "X") as readonly RunningProcess[];
}

/** Everything that descends from `roots`, without them. */
export function descendantsOf(roots: ReadonlySet<number>, processes: readonly RunningProcess[]): readonly RunningProcess[] {
  const children = new Map<number, RunningProcess[]>();
  for (const child of processes) children.set(child.parent, [...(children.get(child.parent) ?? []), child]);
  const found: RunningProcess[] = [];
  const queue = [...roots];
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    for (const child of children.get(pid) ?? []) {
      if (roots.has(child.pid)) continue;
      found.push(child);
      queue.push(child.pid);
    }
  }
  return found;
}

/** Sends a signal to a process unless it has ended. */
export function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (cause) {
    if (!hasCode(cause, "ESRCH")) throw cause;
  }
}

/** The network namespace of a process, or the one bound to a file, as a number that is equal for equal namespaces; undefined where it is gone or hidden. */
export async function networkNamespaceOf(place: number | string): Promise<number | undefined> {
  try {
    return (await stat(typeof place === "number" ? `/proc/${place}/ns/net` : place)).ino;
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "ESRCH", "EACCES")) return undefined;
    throw cause;
  }
}
