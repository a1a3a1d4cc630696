import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { formatLogTime, parseLogLine } from "./log-line.ts";
import { type LogOptions, parseLogOptions } from "./log-options.ts";
import { LogError, openContainerLog } from "./logs.ts";

let directory: string;
let path: string;
const { signal } = new AbortController();
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "navarch-logs-"));
  path = join(directory, "0.log");
});
afterEach(() => rm(directory, { recursive: true }));

const ALL: LogOptions = { follow: false, previous: false, timestamps: false, stream: "All" };
const line = (second: number, stream: string, tag: string, text: string) =>
  `2030-01-01T00:00:${String(second).padStart(2, "0")}.5Z ${stream} ${tag} ${text}\n`;

describe("parseLogLine()", () => {
  test.each([
    ["a full line", "2030-01-01T00:00:00.1Z stdout F hello world\n", "stdout", "hello world\n"],
    ["a part of a line", "2030-01-01T00:00:00.1Z stderr P hello\n", "stderr", "hello"],
    ["tags behind the first", "2030-01-01T00:00:00.1Z stdout P:x hello\n", "stdout", "hello"],
    ["an empty line", "2030-01-01T00:00:00.1+02:00 stdout F \n", "stdout", "\n"],
    ["spaces", "2030-01-01T00:00:00Z stdout F   two  \n", "stdout", "  two  \n"],
    ["no newline yet", "2030-01-01T00:00:00Z stdout F cut", "stdout", "cut"],
  ])("reads %s", (_name, text, stream, expected) => {
    const parsed = parseLogLine(Buffer.from(text));
    expect([parsed?.stream, parsed?.text.toString()]).toEqual([stream, expected]);
  });

  test.each([
    ["no time", "hello stdout F x\n"],
    ["another stream", "2030-01-01T00:00:00Z stdin F x\n"],
    ["no tag", "2030-01-01T00:00:00Z stdout\n"],
    ["nothing", "\n"],
  ])("takes %s for no line", (_name, text) => expect(parseLogLine(Buffer.from(text))).toBeUndefined()); // prettier-ignore

  test("formatLogTime() fills the fraction to nine digits", () => {
    expect(["2030-01-01T00:00:00Z", "2030-01-01T00:00:00.12+02:00", "2030-01-01T00:00:00.123456789Z"].map(formatLogTime)).toEqual([
      "2030-01-01T00:00:00.000000000Z",
      "2030-01-01T00:00:00.120000000+02:00",
      "2030-01-01T00:00:00.123456789Z",
    ]);
  });
});

describe("parseLogOptions()", () => {
  test.each<[string, object]>([
    ["", ALL],
    ["follow=true&previous=1&timestamps&tailLines=5", { ...ALL, follow: true, previous: true, timestamps: true, tailLines: 5 }],
    ["follow=false&previous=0&tail=all&tailLines=", ALL],
    ["tail=7", { ...ALL, tailLines: 7 }],
    ["sinceSeconds=30&limitBytes=100&stream=Stderr", { ...ALL, stream: "Stderr", sinceSeconds: 30, limitBytes: 100 }],
    ["sinceTime=1970-01-01T00:00:01.5Z", { ...ALL, sinceTime: { seconds: 1, nanos: 5e8 } }],
  ])("reads %s", (query, options) => {
    expect(parseLogOptions(new URLSearchParams(query))).toEqual({ ok: true, options });
  });

  test.each([
    ["tailLines=x", "undecodable"],
    ["sinceTime=yesterday", "undecodable"],
    ["tailLines=-1", "invalid"],
    ["limitBytes=0", "invalid"],
    ["sinceSeconds=0", "invalid"],
    ["sinceSeconds=1&sinceTime=2030-01-01T00:00:00Z", "invalid"],
    ["stream=stdin", "invalid"],
    ["stream=Stdout&tailLines=1", "invalid"],
  ])("refuses %s", (query, because) => {
    expect(parseLogOptions(new URLSearchParams(query))).toEqual({ ok: false, because });
  });
});

describe("openContainerLog()", () => {
  const content = [
    line(1, "stdout", "F", "one"),
    line(2, "stderr", "F", "two"),
    line(3, "stdout", "P", "thr"),
    line(3, "stdout", "F", "ee"),
    line(4, "stdout", "F", "four"),
  ]; // prettier-ignore

  test.each<[string, Partial<LogOptions>, string]>([
    ["all of it", {}, "one\ntwo\nthree\nfour\n"],
    ["stdout", { stream: "Stdout" }, "one\nthree\nfour\n"],
    ["stderr", { stream: "Stderr" }, "two\n"],
    ["the last two lines", { tailLines: 2 }, "ee\nfour\n"],
    ["no lines", { tailLines: 0 }, ""],
    ["more lines than there are", { tailLines: 99 }, "one\ntwo\nthree\nfour\n"],
    ["what is younger than three seconds", { sinceSeconds: 3 }, "four\n"],
    ["what is at or after a time", { sinceTime: { seconds: Date.parse("2030-01-01T00:00:03Z") / 1000, nanos: 5e8 } }, "three\nfour\n"],
    ["at most so many bytes", { limitBytes: 6 }, "one\ntw"],
    [
      "times before whole lines only",
      { timestamps: true, tailLines: 3 },
      "2030-01-01T00:00:03.500000000Z three\n2030-01-01T00:00:04.500000000Z four\n",
    ],
    ["bytes with times", { timestamps: true, limitBytes: 33 }, "2030-01-01T00:00:01.500000000Z on"],
  ])("gives %s", async (_name, options, expected) => {
    await writeFile(path, content.join(""));
    const clock = createFakeClock("2030-01-01T00:00:07Z");
    expect(await read({ ...ALL, ...options }, { clock })).toBe(expected);
  }); // prettier-ignore

  test("reads lines longer than its blocks, and tails over them", async () => {
    const long = "x".repeat(200_000);
    await writeFile(path, line(1, "stdout", "F", long) + line(2, "stdout", "F", long.slice(0, 70_000)) + line(3, "stdout", "F", "end"));
    expect(await read(ALL)).toBe(`${long}\n${long.slice(0, 70_000)}\nend\n`);
    expect(await read({ ...ALL, tailLines: 2 })).toBe(`${long.slice(0, 70_000)}\nend\n`);
  });

  test("gives a last line without its newline", async () => {
    await writeFile(path, `${line(1, "stdout", "F", "one")}2030-01-01T00:00:02Z stdout F tw`);
    expect(await read(ALL)).toBe("one\ntw");
  });

  test("skips lines of another format", async () => {
    await writeFile(path, `garbage\n${line(1, "stdout", "F", "one")}`);
    expect(await read(ALL)).toBe("one\n");
  });

  test("says in upstream's words that there is no file", async () => {
    await expect(openContainerLog({ path, isRunning: () => true }, ALL, { clock: systemClock, signal })).rejects.toThrow(
      new LogError(`failed to try resolving symlinks in path "${path}": lstat ${path}: no such file or directory`),
    );
  });

  test("follows through a rotation, joins lines written in pieces, ends with the container", async () => {
    await writeFile(path, line(1, "stdout", "F", "one"));
    let running = true;
    const follower = follow({ path, isRunning: () => running });
    await follower.has("one\n");
    await appendFile(path, "2030-01-01T00:00:02Z stdout F tw");
    await appendFile(path, "o\n");
    await follower.has("one\ntwo\n");
    await appendFile(path, line(3, "stdout", "F", "three"));
    await rename(path, `${path}.20300101-000003`);
    await appendFile(`${path}.20300101-000003`, line(4, "stdout", "F", "four"));
    await writeFile(path, line(5, "stdout", "F", "five"));
    await follower.has("one\ntwo\nthree\nfour\nfive\n");
    await appendFile(path, line(6, "stdout", "F", "last words"));
    running = false;
    expect(await follower.end).toBe("one\ntwo\nthree\nfour\nfive\nlast words\n");
  });

  test("follows from the tail, and ends at abort", async () => {
    await writeFile(path, line(1, "stdout", "F", "one") + line(2, "stdout", "F", "two"));
    const abort = new AbortController();
    const follower = follow({ path, isRunning: () => true }, { tailLines: 1 }, abort.signal);
    await follower.has("two\n");
    abort.abort();
    expect(await follower.end).toBe("two\n");
  });
});

async function read(options: LogOptions, { clock = systemClock } = {}): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of await openContainerLog({ path, isRunning: () => false }, options, { clock, signal })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function follow(source: { path: string; isRunning(): boolean }, options: Partial<LogOptions> = {}, until: AbortSignal = signal) {
  let text = "";
  const end = (async () => {
    const lines = await openContainerLog(source, { ...ALL, ...options, follow: true }, { clock: systemClock, signal: until });
    for await (const chunk of lines) text += chunk.toString();
    return text;
  })();
  const has = async (expected: string) => {
    await expect.poll(() => text, { interval: 5, timeout: 5_000 }).toBe(expected);
  };
  return { end, has };
}
