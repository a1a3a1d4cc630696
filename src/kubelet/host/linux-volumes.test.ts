import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLinuxVolumes, resolveSubPath } from "./linux-volumes.ts";

const signal = new AbortController().signal;
const volumes = createLinuxVolumes({ secretsInMemory: false });
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "navarch-volumes-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const file = (path: string, content: string, mode = 0o644) => ({ path, content: Buffer.from(content), mode });
const project = (files: readonly ReturnType<typeof file>[]) => volumes.project(`${root}/v`, files, { inMemory: true, signal });
const visible = async () => (await readdir(`${root}/v`)).filter((name) => !name.startsWith("..")).toSorted();

test("project() shows files through ..data, with their modes whatever the umask", async () => {
  await project([file("a", "1"), file("dir/b", "2", 0o666)]);
  expect(await visible()).toEqual(["a", "dir"]);
  expect(await readlink(`${root}/v/a`)).toBe("..data/a");
  expect(await readFile(`${root}/v/dir/b`, "utf8")).toBe("2");
  expect((await stat(`${root}/v/dir/b`)).mode & 0o777).toBe(0o666);
  expect((await stat(`${root}/v/dir`)).mode & 0o777).toBe(0o755);
});

test("project() switches to a new version, and leaves an equal one alone", async () => {
  await project([file("a", "1"), file("old", "x")]);
  const first = await readlink(`${root}/v/..data`);
  await project([file("a", "1"), file("old", "x")]);
  expect(await readlink(`${root}/v/..data`)).toBe(first);
  await project([file("a", "2"), file("new", "y")]);
  expect(await readlink(`${root}/v/..data`)).not.toBe(first);
  expect(await visible()).toEqual(["a", "new"]);
  expect(await readFile(`${root}/v/a`, "utf8")).toBe("2");
  expect((await readdir(`${root}/v`)).filter((name) => name.startsWith(".."))).toHaveLength(2); // ..data and its version
  await project([file("a", "2", 0o600), file("new", "y")]);
  expect((await stat(`${root}/v/a`)).mode & 0o777).toBe(0o600);
});

test("emptyDirectory() is open to all and keeps what is in it", async () => {
  await volumes.emptyDirectory(`${root}/e`, { medium: "disk", signal });
  await mkdir(`${root}/e/kept`);
  await volumes.emptyDirectory(`${root}/e`, { medium: "disk", signal });
  expect((await stat(`${root}/e`)).mode & 0o7777).toBe(0o777);
  expect(await readdir(`${root}/e`)).toEqual(["kept"]);
});

test("resolveSubPath() makes what is missing and never leaves the volume", async () => {
  await mkdir(`${root}/v`);
  expect(await resolveSubPath(`${root}/v`, "a/b", {})).toBe(`${root}/v/a/b`);
  expect((await lstat(`${root}/v/a/b`)).isDirectory()).toBe(true);
  await symlink("/etc", `${root}/v/out`);
  await symlink("a", `${root}/v/in`);
  expect(await resolveSubPath(`${root}/v`, "in/b", {})).toBe(`${root}/v/a/b`);
  await expect(resolveSubPath(`${root}/v`, "out", {})).rejects.toThrow('Cannot mount subPath "out": it leads out of its volume');
  await expect(resolveSubPath(`${root}/v`, "out/made-by-test", {})).rejects.toThrow("it leads out of its volume");
});

test("hostPath() checks types in upstream's words", async () => {
  expect(await volumes.hostPath(`${root}/new`, "DirectoryOrCreate")).toBeUndefined();
  expect((await stat(`${root}/new`)).isDirectory()).toBe(true);
  expect(await volumes.hostPath(`${root}/new`, "File")).toBe(`hostPath type check failed: ${root}/new is not a file`);
  expect(await volumes.hostPath(`${root}/none`, "Directory")).toBe(`hostPath type check failed: ${root}/none is not a directory`);
  expect(await volumes.hostPath(`${root}/none`, "")).toBeUndefined();
  expect(await volumes.hostPath("/dev/null", "CharDevice")).toBeUndefined();
});
