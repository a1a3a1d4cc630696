import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open as openFile, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open as openLmdb } from "lmdb";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFakeClock, type FakeClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { changeShown, describeStore, kvShown, nextOf } from "./conformance.ts";
import { type Key, type LeaseId, prefixRange, type Revision, type Store, StoreUnavailableError } from "./contract.ts";
import { createLmdbStore, type LmdbStoreOptions, openLmdbStore } from "./lmdb.ts";
import { openLmdbEnv } from "./lmdb-env.ts";

describeStore("openLmdbStore()", async (clock): Promise<Store> => {
  const path = await mkdtemp(join(tmpdir(), "navarch-store-"));
  const store = await openLmdbStore({ path, clock, log: silentLog }, { cacheBytes: 2000 });
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(path, { recursive: true, force: true });
    },
  };
});

describe("openLmdbStore()", () => {
  let folder = "";
  let path = "";
  let clock: FakeClock;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "navarch-store-"));
    path = join(folder, "db");
    clock = createFakeClock();
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const open = (options: LmdbStoreOptions = {}) => openLmdbStore({ path, clock, log: silentLog }, options);
  const put = (store: Store, key: string, value: string, lease?: LeaseId) =>
    store.commit({ put: key as Key, value: Buffer.from(value), expect: "any", ...(lease === undefined ? {} : { lease }) });
  const range = async (store: Store, revision?: number) =>
    (await store.range(prefixRange("/"), revision === undefined ? {} : { revision: revision as Revision })).kvs.map(kvShown);

  /** A store with history, a deletion, a recreated key and a compaction in the middle; closed. */
  async function fill(): Promise<void> {
    await using store = await open();
    await put(store, "/a", "1"); // 1
    await put(store, "/b", "1"); // 2
    await put(store, "/a", "2"); // 3
    await store.commit({ delete: "/b" as Key, expect: "any" }); // 4
    await put(store, "/c", "1"); // 5
    await store.commit({ delete: "/c" as Key, expect: "any" }); // 6
    await put(store, "/b", "2"); // 7
    await store.compact(5 as Revision);
  }

  test("opened again, it has the same states, history, revisions and compaction", async () => {
    await fill();
    for (let i = 0; i < 2; i++) {
      await using store = await open();
      expect(await store.revision()).toBe(7);
      expect(await store.compactRevision()).toBe(5);
      expect(await range(store)).toEqual([
        ["/a", "2", 1, 3],
        ["/b", "2", 7, 7],
      ]);
      expect(await range(store, 6)).toEqual([["/a", "2", 1, 3]]);
      expect(await range(store, 5)).toEqual([
        ["/a", "2", 1, 3],
        ["/c", "1", 5, 5],
      ]);
      await expect(range(store, 4)).rejects.toThrow("Cannot read at revision 4: it has been compacted, wanted 5 or later");
      const abort = new AbortController();
      const { value } = await nextOf(store.watch(prefixRange("/"), 6 as Revision, abort.signal));
      expect(changeShown(value)).toEqual([
        ["delete", "/c", 6, ["/c", "1", 5, 5]],
        ["put", ["/b", "2", 7, 7], undefined],
      ]);
      abort.abort();
    }
  });

  test("the revision goes on when everything has been deleted and compacted", async () => {
    {
      await using store = await open();
      await put(store, "/a", "1");
      await store.commit({ delete: "/a" as Key, expect: "any" });
      await store.compact(2 as Revision);
    }
    await using store = await open();
    expect([await store.revision(), await range(store), await store.sizeBytes()]).toEqual([2, [], 0]);
    expect(await put(store, "/a", "2")).toMatchObject({ revision: 3, previous: undefined });
  });

  test("what a compaction had not deleted from the file when the process died is deleted after the next start", async () => {
    await fill();
    // As if the process had died right after the compaction was recorded.
    const root = openLmdb({ path, noSubdir: false, encoding: "json" });
    await root.openDB({ name: "meta", encoding: "json" }).put("compactRevision", 7);
    await root.close();

    const env = await openLmdbEnv(path, 2 ** 26);
    const loaded = await env.load();
    const kept = loaded.versions.map(({ revision }) => revision);
    expect(kept).toEqual([3, 7]);
    const forgotten: number[] = [];
    const watched = {
      ...env,
      async write(records: Parameters<typeof env.write>[0]) {
        await env.write(records);
        for (const record of records) if ("forget" in record) forgotten.push(...record.forget);
      },
    };
    {
      await using store = createLmdbStore(watched, loaded, { path, clock, log: silentLog });
      await expect.poll(() => forgotten.length).toBe(loaded.garbage.length);
      expect(await range(store)).toEqual([
        ["/a", "2", 1, 3],
        ["/b", "2", 7, 7],
      ]);
    }
    expect(forgotten.indexOf(5)).toBeLessThan(forgotten.indexOf(6)); // the put before the deletion that hides it
    const again = openLmdb({ path, noSubdir: false, encoding: "json" });
    expect([...again.openDB({ name: "versions", encoding: "binary" }).getKeys()]).toEqual(kept);
    await again.close();
  });

  test("leases go on after a restart with their full time, and their ids are not given again", async () => {
    let lease: LeaseId;
    {
      await using store = await open();
      lease = await store.grantLease(10);
      await put(store, "/a", "1", lease);
      await put(store, "/b", "1");
      await store.revokeLease(await store.grantLease(10));
    }
    await clock.advance(60_000);
    await using store = await open();
    expect(await range(store)).toHaveLength(2);
    expect((await store.get("/a" as Key))?.lease).toBe(lease);
    expect(await store.grantLease(100)).toBe("3");
    await clock.advance(9_000);
    expect(await store.keepLeaseAlive(lease)).toBe(true);
    await clock.advance(11_000);
    await expect.poll(() => range(store)).toEqual([["/b", "1", 2, 2]]);
  });

  test("files are the owner's only", async () => {
    await using _store = await open();
    expect((await stat(path)).mode & 0o777).toBe(0o700);
    for (const file of await readdir(path)) expect([file, (await stat(join(path, file))).mode & 0o777]).toEqual([file, 0o600]);
  });

  test("a folder that this process has open is refused until it is closed", async () => {
    {
      await using _store = await open();
      await expect(open()).rejects.toThrow(`Cannot open store "${path}": this process has it open, wanted a folder that nobody uses`);
    }
    await using store = await open();
    expect(await store.revision()).toBe(0);
  });

  test("a folder that another live process has open is refused until that process is dead, even if it was killed", async () => {
    const program = `
      import { openLmdbStore } from ${JSON.stringify(new URL("./lmdb.ts", import.meta.url).href)};
      import { systemClock } from ${JSON.stringify(new URL("../base/node/system-clock.ts", import.meta.url).href)};
      import { silentLog } from ${JSON.stringify(new URL("../base/log.ts", import.meta.url).href)};
      await openLmdbStore({ path: ${JSON.stringify(path)}, clock: systemClock, log: silentLog });
      console.log("open");
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    await once(child.stdout, "data");
    await expect(open()).rejects.toThrow(`Cannot open store "${path}": process ${child.pid} has it open`);
    child.kill("SIGKILL");
    await exited;
    await using store = await open();
    expect(await store.revision()).toBe(0);
  });

  test("a claim of a process whose pid has been given again is no claim", async () => {
    await (await open())[Symbol.asyncDispose]();
    const claim = { pid: process.pid, started: "1", boot: "of another day" };
    await writeFile(join(path, "owner.json"), JSON.stringify(claim));
    await (await open())[Symbol.asyncDispose]();
    await writeFile(join(path, "owner.json"), '{"pid":');
    await (await open())[Symbol.asyncDispose]();
  });

  describe("refuses a damaged file with a clear message", () => {
    const data = () => join(path, "data.mdb");
    async function fillLarge(): Promise<void> {
      await using store = await open();
      for (let i = 0; i < 200; i++) await put(store, `/k/${i}`, `marker-${i}-${"x".repeat(3000)}`);
    }

    test("cut short", async () => {
      await fillLarge();
      const { size } = await stat(data());
      for (const part of [0.9, 0.5, 0.1]) {
        await truncate(data(), Math.floor(size * part));
        await expect(open()).rejects.toThrow(
          /^Cannot open store ".*": its data file is damaged \(.*\), wanted an intact one: restore it from a backup/,
        );
      }
      await truncate(data(), 5000);
      await expect(open()).rejects.toThrow(
        /its data file is damaged \(its first pages are cut off or of no LMDB file\), wanted an intact one/,
      );
    });

    test("with bytes changed in a value", async () => {
      await fillLarge();
      const file = await openFile(data(), "r+");
      const content = await file.readFile();
      const at = content.indexOf("marker-77-xxx");
      expect(at).toBeGreaterThan(0);
      await file.write(Buffer.from("!"), 0, 1, at + 500);
      await file.close();
      await expect(open()).rejects.toThrow(/damaged \(the record of revision 78 does not match its checksum\)/);
      await expect(open()).rejects.toThrow(StoreUnavailableError); // and nobody holds the folder
    });

    test("with a page lost or replaced by another", async () => {
      await fillLarge();
      const file = await openFile(data(), "r+");
      const content = await file.readFile();
      const page = Math.floor(content.indexOf("marker-77-xxx") / 8192);
      for (const other of [Buffer.alloc(8192), content.subarray(0, 8192)]) {
        await file.write(other, 0, 8192, page * 8192);
        await expect(open()).rejects.toThrow(`Cannot open store "${path}": its data file is damaged (page ${page} is not itself)`);
      }
      await file.write(content, page * 8192, 8192, page * 8192);
      await file.close();
      await (await open())[Symbol.asyncDispose]();
    });

    test("of something else", async () => {
      await (await open())[Symbol.asyncDispose]();
      await writeFile(data(), "#!/bin/sh\n".repeat(5000));
      await expect(open()).rejects.toThrow(/its first pages are cut off or of no LMDB file/);
    });

    test("of another program", async () => {
      const root = openLmdb({ path, noSubdir: false, encoding: "json" });
      for (let i = 0; i < 5; i++) await root.put(`theirs-${i}`, i);
      await root.close();
      await expect(open()).rejects.toThrow(`Cannot open store "${path}": it holds another program's LMDB database`);
    });

    test("of another format version", async () => {
      await fill();
      const root = openLmdb({ path, noSubdir: false, encoding: "json" });
      await root.openDB({ name: "meta", encoding: "json" }).put("format", { name: "navarch-store", version: 2 });
      await root.close();
      await expect(open()).rejects.toThrow(
        `Cannot open store "${path}": its format is {"name":"navarch-store","version":2}, wanted {"name":"navarch-store","version":1}`,
      );
    });
  });

  test("at its size limit it refuses puts, says what to do, and accepts deletions and compaction, after which puts succeed", async () => {
    await using store = await open({ maxBytes: 100_000 });
    let last = 0;
    const full = (async () => {
      for (;;) last = Number((await put(store, `/k/${last}`, "x".repeat(10_000))).ok && (await store.revision()));
    })();
    await expect(full).rejects.toThrow(
      /^Cannot write "\/k\/\d+": the store holds \d+ of at most 100000 bytes, wanted room for \d+: delete objects and compact, or raise the limit$/,
    );
    await expect(put(store, "/x", "x".repeat(50_000))).rejects.toThrow(StoreUnavailableError);
    for (let i = 0; i < last; i++) expect(await store.commit({ delete: `/k/${i}` as Key, expect: "any" })).toMatchObject({ ok: true });
    await store.compact(await store.revision());
    await expect.poll(() => store.sizeBytes()).toBe(0);
    expect(await put(store, "/x", "x".repeat(50_000))).toMatchObject({ ok: true });
  });

  test("a failed write rejects all commits it holds and all decided on top of it, shows nothing of them, and leaves no gap", async () => {
    const env = await openLmdbEnv(path, 2 ** 26);
    let failing = false;
    const flaky = {
      ...env,
      write: (records: Parameters<typeof env.write>[0]) => (failing ? Promise.reject(new Error("disk on fire")) : env.write(records)),
    };
    await using store = createLmdbStore(flaky, await env.load(), { path, clock, log: silentLog });
    const lease = await store.grantLease(10);
    await put(store, "/a", "1", lease);
    const abort = new AbortController();
    const watch = store.watch(prefixRange("/"), 2 as Revision, abort.signal)[Symbol.asyncIterator]();
    const next = watch.next();

    failing = true;
    const commits = await Promise.allSettled([
      put(store, "/a", "2"),
      put(store, "/b", "1"),
      store.commit({ put: "/b" as Key, value: Buffer.from("2"), expect: 3 as Revision }),
      store.commit({ put: "/b" as Key, value: Buffer.from("x"), expect: "absent" }), // would learn of /b, which is not durable
      store.grantLease(5),
      store.compact(1 as Revision),
    ]);
    for (const commit of commits) {
      expect(commit).toMatchObject({ status: "rejected" });
      expect(String(commit.status === "rejected" && commit.reason)).toMatch(
        /^StoreUnavailableError: Cannot write to store ".*": disk on fire \(\d+ bytes free\), wanted a writable disk with room: free some space and try again$/,
      );
    }
    expect([await store.revision(), await store.compactRevision(), await range(store)]).toEqual([1, 0, [["/a", "1", 1, 1]]]);

    failing = false;
    expect(await put(store, "/b", "3")).toMatchObject({ ok: true, revision: 2, previous: undefined });
    const { value } = await next;
    expect(changeShown(value)).toEqual([["put", ["/b", "3", 2, 2], undefined]]);
    await clock.advance(11_000); // the lease still has /a, whose detaching failed
    await expect.poll(() => range(store)).toEqual([["/b", "3", 2, 2]]);
    abort.abort();
  });

  test("a lease whose keys cannot be deleted is ended later", async () => {
    const env = await openLmdbEnv(path, 2 ** 26);
    let failing = false;
    const flaky = {
      ...env,
      write: (records: Parameters<typeof env.write>[0]) => (failing ? Promise.reject(new Error("disk on fire")) : env.write(records)),
    };
    await using store = createLmdbStore(flaky, await env.load(), { path, clock, log: silentLog });
    await put(store, "/a", "1", await store.grantLease(10));
    failing = true;
    await clock.advance(11_000);
    expect(await range(store)).toHaveLength(1);
    failing = false;
    await expect
      .poll(async () => {
        await clock.advance(1_000);
        return range(store);
      })
      .toEqual([]);
  });
});
