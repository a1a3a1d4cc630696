import { setImmediate as yieldToLoop } from "node:timers/promises";
import { type Database, open, type PutOptions, type RootDatabase, type RootDatabaseOptions } from "lmdb";
import { type LeaseId, type Revision, StoreUnavailableError } from "./contract.ts";
import { damagedFile, prepareDataFile, protectDataFiles } from "./data-file.ts";
import { decodeRecord, encodeRecord, PAGE_SIZE } from "./lmdb-record.ts";
import { claimFolder, refuseForeign, releaseFolder } from "./store-owner.ts";
import type { Version } from "./version.ts";
import type { LoadedVersions } from "./version-index.ts";

/** What one group makes durable. */
export type Record =
  | { readonly put: Version }
  | { readonly forget: readonly Revision[] }
  | { readonly compactRevision: Revision }
  | { readonly grant: LeaseId; readonly ttlSeconds: number; readonly lastLease: number }
  | { readonly endLease: LeaseId };

export interface LoadedEnv extends LoadedVersions {
  /** Versions on disk that nobody can read any more, to be deleted from the end: a deletion must not go before what it deleted. */
  readonly garbage: Revision[];
  readonly leases: readonly { readonly id: LeaseId; readonly ttlSeconds: number }[];
  readonly lastLease: number;
}

/** The LMDB file: records by revision, leases by id, and a few facts. */
export interface LmdbEnv {
  /** Reads and checks every record. Called once, before anything is written. The values stay in the file. */
  load(): Promise<LoadedEnv>;
  /** All of it or nothing, on disk when it resolves. */
  write(records: readonly Record[]): Promise<void>;
  /** The value of a version that is on disk. */
  read(version: Version): Uint8Array;
  /** The newest revision on disk; 0 when there is none. */
  lastRevision(): Revision;
  close(): Promise<void>;
}

const FORMAT = { name: "navarch-store", version: 1 };
const LOAD_STEP = 2_000;

export async function openLmdbEnv(folder: string, mapSize: number): Promise<LmdbEnv> {
  refuseForeign(folder);
  await prepareDataFile(folder);
  const root = openRoot(folder, mapSize);
  try {
    await protectDataFiles(folder);
    // LMDB's writer lock keeps two processes from claiming at the same time, and dies with its holder.
    root.transactionSync(() => claimFolder(folder));
  } catch (cause) {
    await root.close();
    throw cause;
  }
  try {
    return await useEnv(folder, root);
  } catch (cause) {
    await root.close();
    releaseFolder(folder);
    throw cause instanceof StoreUnavailableError ? cause : damaged(folder, cause);
  }
}

function openRoot(folder: string, mapSize: number): RootDatabase {
  try {
    return open({
      path: folder,
      noSubdir: false,
      mapSize: Math.ceil(mapSize / PAGE_SIZE) * PAGE_SIZE,
      pageSize: PAGE_SIZE,
      maxDbs: 8,
      overlappingSync: false, // a commit is answered when it is on disk
      eventTurnBatching: false, // groups are ours, one batch each
      encoding: "json",
    });
  } catch (cause) {
    throw damaged(folder, cause);
  }
}

async function useEnv(folder: string, root: RootDatabase): Promise<LmdbEnv> {
  const meta: Database<unknown, string> = root.openDB({ name: "meta", encoding: "json" });
  const format = meta.get("format");
  if (format === undefined) {
    if (root.getKeysCount({ limit: 2 }) > 1)
      throw new StoreUnavailableError(
        `Cannot open store "${folder}": it holds another program's LMDB database, wanted an empty folder or a store of ours`,
      );
    await meta.put("format", FORMAT);
  } else if (JSON.stringify(format) !== JSON.stringify(FORMAT)) {
    throw new StoreUnavailableError(
      `Cannot open store "${folder}": its format is ${JSON.stringify(format)}, wanted ${JSON.stringify(FORMAT)}: open it with the release that wrote it`,
    );
  }
  const leases: Database<number, string> = root.openDB({ name: "leases", encoding: "json" });
  // Two views of one database: lmdb hands the record to the decoder in a buffer that it uses again, so that nothing is copied twice.
  const versions = openVersions(root, true);
  const heads = openVersions(root, false);
  const append = versions.put.bind(versions) as (revision: number, version: Version, options: PutOptions) => Promise<boolean>;

  return {
    async load() {
      const compactRevision = readNumber("compactRevision") as Revision;
      const held = new Map<string, Version>(); // newest at or below compactRevision
      const later: Version[] = [];
      const garbage: Revision[] = [];
      let last: number = compactRevision;
      try {
        for (let start = 0, more = true; more; ) {
          more = false;
          for (const { key, value: version } of heads.getRange({ start, limit: LOAD_STEP })) {
            more = true;
            start = key + 1;
            if (version?.revision !== key) throw new Error(`the record of revision ${key} does not match its checksum`);
            if (key <= compactRevision) {
              const before = held.get(version.key);
              if (before !== undefined) garbage.push(before.revision);
              if (version.deleted) {
                garbage.push(version.revision);
                held.delete(version.key);
              } else held.set(version.key, version);
            } else {
              if (key !== last + 1) throw new Error(`revision ${last + 1} is missing`);
              last = key;
              later.push(version);
            }
          }
          await yieldToLoop();
        }
        return {
          revision: last as Revision,
          compactRevision,
          versions: [...held.values(), ...later],
          garbage: garbage.toReversed(),
          leases: [...leases.getRange()]
            .map(({ key, value }) => ({ id: key as LeaseId, ttlSeconds: value }))
            .sort((a, b) => Number(a.id) - Number(b.id)), // as they were granted
          lastLease: readNumber("lastLease"),
        };
      } catch (cause) {
        throw damaged(folder, cause);
      }
    },
    async write(records) {
      if (records.length === 0) return;
      const puts: Promise<boolean>[] = [];
      const batch = root.batch(() => {
        for (const record of records) {
          if ("put" in record) puts.push(append(record.put.revision, record.put, { append: true }));
          else if ("forget" in record) for (const revision of record.forget) puts.push(versions.remove(revision));
          else if ("compactRevision" in record) puts.push(meta.put("compactRevision", record.compactRevision));
          else if ("grant" in record) puts.push(leases.put(record.grant, record.ttlSeconds), meta.put("lastLease", record.lastLease));
          else puts.push(leases.remove(record.endLease));
        }
      });
      try {
        await Promise.all([batch, ...puts]);
      } catch (cause) {
        const reason = await reasonOf(cause);
        // The address of a page helps nobody.
        throw reason instanceof Error ? new Error(reason.message.replace(/: Attempting to write .*/s, ""), { cause: reason }) : reason;
      }
    },
    read(version) {
      let found = versions.get(version.revision);
      if (found === undefined) {
        root.resetReadTxn(); // this turn's snapshot may be from before the version
        found = versions.get(version.revision);
      }
      if (found?.revision !== version.revision || found.value === undefined)
        throw damaged(folder, new Error(`revision ${version.revision} of "${version.key}" cannot be read`));
      return found.value;
    },
    lastRevision() {
      root.resetReadTxn();
      for (const key of versions.getKeys({ reverse: true, limit: 1 })) return key as Revision;
      return 0 as Revision;
    },
    async close() {
      await root.close();
      releaseFolder(folder);
    },
  };

  function readNumber(name: string): number {
    const value = meta.get(name) ?? 0;
    if (typeof value === "number") return value;
    throw damaged(folder, new Error(`"${name}" is ${JSON.stringify(value)}`));
  }
}

function openVersions(root: RootDatabase, withValue: boolean): Database<Version | undefined, number> {
  const encoder = { encode: encodeRecord, decode: (record: Buffer) => decodeRecord(record, withValue) };
  const options: RootDatabaseOptions = { encoding: "binary", encoder }; // the type of openDB's options leaves it out
  return root.openDB("versions", options);
}

/** lmdb rejects with a general error that carries a promise of the real one. */
async function reasonOf(cause: unknown): Promise<unknown> {
  if (!(cause instanceof Error && "commitError" in cause && cause.commitError instanceof Promise)) return cause;
  const real = cause.commitError.then(
    () => cause,
    (reason: unknown) => reason,
  );
  return Promise.race([real, yieldToLoop(cause)]);
}

function damaged(folder: string, cause: unknown): StoreUnavailableError {
  return damagedFile(folder, cause instanceof Error ? cause.message : String(cause), { cause });
}
