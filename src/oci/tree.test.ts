import { expect, test } from "vitest";
import { splitLayers } from "./pack.ts";
import { canonicalPath, type Entry, layOut } from "./tree.ts";

const file = (path: string): Entry => ({ kind: "content", path, content: Buffer.from(path), mode: 0o644, uid: 0, gid: 0 });
const paths = (entries: readonly Entry[]) => entries.map(({ path }) => path);

test.each([
  ["/lib64/ld.so", "/usr/lib64/ld.so"],
  ["/lib", "/lib"],
  ["/library/x", "/library/x"],
  ["/usr/lib/../bin/x/", "/usr/bin/x"],
])("canonicalPath() of %s is %s", (path, canonical) => {
  expect(canonicalPath(path)).toBe(canonical);
});

test("layOut() adds parents before children, sorts by path part and links merged directories", () => {
  expect(paths(layOut([file("/usr-x"), file("/lib/b"), file("/usr/bin/a"), file("/etc/z")]))).toEqual([
    "/bin",
    "/etc",
    "/etc/z",
    "/lib",
    "/usr",
    "/usr/bin",
    "/usr/bin/a",
    "/usr/lib",
    "/usr/lib/b",
    "/usr-x",
  ]);
});

test("layOut() lets a later entry of the same path win", () => {
  const [, last] = layOut([file("/etc/a"), { kind: "symlink", path: "/etc/a", target: "b", uid: 0, gid: 0 }]);
  expect(last).toMatchObject({ kind: "symlink", target: "b" });
});

test("layOut() refuses a path below a file", () => {
  expect(() => layOut([file("/etc/a"), file("/etc/a/b")])).toThrow('Cannot pack path "/etc/a/b": "/etc/a" is a file in the image');
});

test("P2: splitLayers() repeats parents with their own mode in the layer that needs them", () => {
  const directory: Entry = { kind: "directory", path: "/var/lib/db", mode: 0o700, uid: 7, gid: 7 };
  const [system, own] = splitLayers({ system: [directory, file("/bin/a")], own: [file("/var/lib/db/x")] });
  expect(paths(system ?? [])).toEqual(["/bin", "/usr", "/usr/bin", "/usr/bin/a", "/var", "/var/lib", "/var/lib/db"]);
  expect(paths(own ?? [])).toEqual(["/var", "/var/lib", "/var/lib/db", "/var/lib/db/x"]);
  expect(own?.[2]).toEqual(directory);
});
