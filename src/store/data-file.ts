import { chmod, mkdir, open, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "#base/node/files.ts";
import { StoreUnavailableError } from "./contract.ts";

const MAGIC = 0xbeefc0de;
const PAGE_HEADER = 24;
const META_LENGTH = 136;

/**
 * Makes the folder when it is missing, 0700, and makes sure that the LMDB file in it, when there is one, can be mapped: LMDB reads pages by
 * address, and a page behind the end of a shortened file would end the process. Such a file is filled up with zeros, which
 * reading it then reports as damage; `missing` tells by how much.
 */
export async function prepareDataFile(folder: string): Promise<{ readonly missing: number }> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const path = join(folder, "data.mdb");
  try {
    const { size } = await stat(path);
    if (size === 0) return { missing: 0 };
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return { missing: 0 };
    throw cause;
  }
  const file = await open(path, "r+");
  try {
    const first = await readMeta(0);
    const second = first === undefined ? undefined : await readMeta(first.pageSize);
    if (first === undefined || second === undefined) {
      throw new StoreUnavailableError(
        `Cannot open store "${folder}": its data file is damaged or is no LMDB file, wanted an intact one: restore it from a backup, or move the folder away to begin anew`,
      );
    }
    const { lastPage, pageSize } = second.transaction > first.transaction ? second : first;
    const { size } = await file.stat();
    const missing = Math.max(0, (lastPage + 1) * pageSize - size);
    if (missing > 0) await file.truncate(size + missing);
    return { missing };
  } finally {
    await file.close();
  }

  async function readMeta(at: number) {
    const page = Buffer.alloc(PAGE_HEADER + META_LENGTH);
    const { bytesRead } = await file.read(page, 0, page.length, at);
    const meta = page.subarray(PAGE_HEADER);
    if (bytesRead < page.length || meta.readUInt32LE(0) !== MAGIC) return undefined;
    const pageSize = meta.readUInt32LE(24);
    if (pageSize < 256 || pageSize > 65_536 || (pageSize & (pageSize - 1)) !== 0) return undefined;
    return { pageSize, lastPage: Number(meta.readBigUInt64LE(120)), transaction: meta.readBigUInt64LE(128) };
  }
}

/** Only the owner may read what the store holds. */
export async function protectDataFiles(folder: string): Promise<void> {
  await Promise.all(["data.mdb", "lock.mdb"].map((name) => chmod(join(folder, name), 0o600)));
}
