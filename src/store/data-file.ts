import { access, chmod, constants, type FileHandle, mkdir, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "#base/node/files.ts";
import { StoreUnavailableError } from "./contract.ts";
import { findBadPage, readMeta } from "./page-check.ts";

/**
 * Makes the folder when it is missing, 0700, and makes sure that LMDB can use the file in it, when there is one. Throws
 * StoreUnavailableError for a file that is damaged or is something else.
 */
export async function prepareDataFile(folder: string): Promise<void> {
  await prepareFolder(folder);
  const path = join(folder, "data.mdb");
  let file: FileHandle;
  try {
    file = await open(path, "r+");
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return;
    throw cause;
  }
  try {
    const { size } = await file.stat();
    if (size === 0) return;
    const first = readMeta(file.fd, 0);
    const second = first === undefined ? undefined : readMeta(file.fd, first.pageSize);
    if (first === undefined || second === undefined) throw damagedFile(folder, "its first pages are cut off or of no LMDB file");
    const newest = second.transaction > first.transaction ? second : first;
    const bad = await findBadPage(file.fd, newest);
    if (bad !== undefined) throw damagedFile(folder, bad);
    // Pages at the end that no tree uses need not have been written, but LMDB may look at their place.
    const needed = (newest.lastPage + 1) * newest.pageSize;
    if (size < needed) await file.truncate(needed);
  } finally {
    await file.close();
  }
}

export function damagedFile(folder: string, why: string, options?: ErrorOptions): StoreUnavailableError {
  return new StoreUnavailableError(
    `Cannot open store "${folder}": its data file is damaged (${why}), wanted an intact one: restore it from a backup, or move the folder away to begin anew`,
    options,
  );
}

async function prepareFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const names = await readdir(folder);
    if (names.length === 0 || names.includes("data.mdb")) await chmod(folder, 0o700); // another's folder keeps its mode
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StoreUnavailableError(`Cannot open store "${folder}": ${why}, wanted a folder that this process may write`, { cause });
  }
}

/** Only the owner may read what the store holds. */
export async function protectDataFiles(folder: string): Promise<void> {
  await Promise.all(["data.mdb", "lock.mdb"].map((name) => chmod(join(folder, name), 0o600)));
}
