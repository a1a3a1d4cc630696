import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasCode } from "#base/node/files.ts";
import { StoreUnavailableError } from "./contract.ts";

/** A process, told apart from a later one with the same pid. */
interface Owner {
  readonly pid: number;
  /** Clock ticks since boot when it started; undefined where /proc does not say. */
  readonly started: string | undefined;
  readonly boot: string | undefined;
}

/**
 * Makes this process the only user of `folder`, or throws StoreUnavailableError naming the live process that has it. A process that died,
 * however it died, has it no longer. Runs synchronously: the caller keeps other claimants out meanwhile, with a write transaction.
 */
export function claimFolder(folder: string): void {
  refuseForeign(folder);
  writeFileSync(ownerPath(folder), JSON.stringify(thisProcess()), { mode: 0o600 });
}

/** Throws StoreUnavailableError when a live process has `folder`, this one included. */
export function refuseForeign(folder: string): void {
  const owner = readOwner(folder);
  if (owner === undefined || !isAlive(owner)) return;
  const who = owner.pid === process.pid ? "this process" : `process ${owner.pid}`;
  throw new StoreUnavailableError(
    `Cannot open store "${folder}": ${who} has it open, wanted a folder that nobody uses: stop that process first (its claim is in ${ownerPath(folder)})`,
  );
}

export function releaseFolder(folder: string): void {
  rmSync(ownerPath(folder), { force: true });
}

function ownerPath(folder: string): string {
  return join(folder, "owner.json");
}

function readOwner(folder: string): Owner | undefined {
  const text = readOrUndefined(ownerPath(folder));
  if (text === undefined) return undefined;
  try {
    const owner: unknown = JSON.parse(text);
    if (typeof owner !== "object" || owner === null || !("pid" in owner) || typeof owner.pid !== "number") return undefined;
    const started = "started" in owner && typeof owner.started === "string" ? owner.started : undefined;
    const boot = "boot" in owner && typeof owner.boot === "string" ? owner.boot : undefined;
    return { pid: owner.pid, started, boot };
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined; // its writer died while writing: it is no owner
    throw cause;
  }
}

function isAlive(owner: Owner): boolean {
  const { boot } = thisProcess();
  if (owner.boot !== boot) return false; // from before a reboot
  if (boot !== undefined) return owner.started !== undefined && startOf(owner.pid) === owner.started;
  try {
    process.kill(owner.pid, 0); // no /proc: asks whether it exists
    return true;
  } catch (cause) {
    if (hasCode(cause, "ESRCH")) return false;
    if (hasCode(cause, "EPERM")) return true;
    throw cause;
  }
}

function thisProcess(): Owner {
  return { pid: process.pid, started: startOf(process.pid), boot: readOrUndefined("/proc/sys/kernel/random/boot_id")?.trim() };
}

/** Field 22 of /proc/<pid>/stat; the second field is a name in brackets that may hold anything. Undefined for a process that is gone. */
function startOf(pid: number): string | undefined {
  const fields = readOrUndefined(`/proc/${pid}/stat`)?.split(")").at(-1)?.trim().split(" ");
  return fields?.[0] === "Z" || fields?.[0] === "X" ? undefined : fields?.[19]; // a zombie has let go of everything
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "ESRCH")) return undefined;
    throw cause;
  }
}
