import { expect, test } from "vitest";
import { parseImageDigests, parseImported } from "./import-image.ts";
import { isBelow, parseMountPoints } from "./mounts.ts";
import { descendantsOf, parseStat, type RunningProcess } from "./processes.ts";

test("parseStat() finds the fields behind a name with blanks and parentheses", () => {
  const fields = Array.from({ length: 50 }, (_, index) => String(index + 3));
  expect(parseStat(`12 (a) b) (c) S 7 ${fields.slice(2).join(" ")}\n`)).toEqual({ state: "S", parent: 7, startTime: "22" });
});

test("descendantsOf() follows every generation and leaves the roots out", () => {
  const process = (pid: number, parent: number): RunningProcess => ({ pid, parent, startTime: "1", state: "S", args: [] });
  const all = [process(1, 0), process(2, 1), process(3, 2), process(4, 3), process(5, 1), process(6, 4)];
  expect(descendantsOf(new Set([2, 4]), all).map(({ pid }) => pid)).toEqual([3, 6]);
});

test("parseMountPoints() undoes octal escapes", () => {
  const line = String.raw`36 35 98:0 / /run/a\040b\134c rw,noatime master:1 - ext4 /dev/root rw`;
  expect(parseMountPoints(`${line}\n`)).toEqual(["/run/a b\\c"]);
});

test("isBelow() compares whole path parts", () => {
  expect([isBelow("/run/a/b", "/run/a"), isBelow("/run/a", "/run/a"), isBelow("/run/ab", "/run/a")]).toEqual([true, true, false]);
});

test("parseImported() and parseImageDigests() read what ctr prints", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  expect(parseImported(`unpacking docker.io/library/kubia:latest (${digest})...done\nunpacking a/b:c (${digest})...`)).toEqual([
    "docker.io/library/kubia:latest",
    "a/b:c",
  ]);
  const list = `REF   TYPE   DIGEST   SIZE PLATFORMS LABELS\na/b:c application/json ${digest} 2.0 MiB linux/amd64 x=y \n`;
  expect([...parseImageDigests(list)]).toEqual([["a/b:c", digest]]);
});
