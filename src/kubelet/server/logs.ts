import { watch } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Clock } from "#base/clock.ts";
import { hasCode } from "#base/node/files.ts";
import { timeParts } from "#machinery/time.ts";
import { formatLogTime, parseLogLine } from "./log-line.ts";
import type { LogOptions } from "./log-options.ts";

/** A container's log on this node. */
export interface LogSource {
  /** The file that is written now; older parts are renamed away. */
  readonly path: string;
  /** Once false, no more is written than what is there. */
  isRunning(): boolean;
}

export interface LogDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const BLOCK_BYTES = 64 * 1024;
/** How long a follower waits when the file system tells it nothing. */
const POLL_MS = 500;

/** There is no such log; the message is upstream's. */
export class LogError extends Error {
  override readonly name = "LogError";
}

/**
 * A container's log as clients get it. Following ends when the container has ended and all it wrote has been read, or at abort;
 * a file that is rotated meanwhile is read to its end before the next one.
 *
 * Rejects with LogError when there is no log. The stream yields whole lines but for `limitBytes`, many at a time.
 */
export async function openContainerLog(source: LogSource, options: LogOptions, deps: LogDeps): Promise<AsyncGenerator<Buffer, void>> {
  const file = await openLogFile(source.path);
  try {
    const start = options.tailLines === undefined ? 0 : await tailStart(file, options.tailLines);
    return readLog({ file, start, source }, createSelection(options, deps.clock), options, deps);
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

/** Rejects with LogError when there is no log to open. */
export async function checkContainerLog({ path }: LogSource): Promise<void> {
  const file = await openLogFile(path);
  await file.close();
}

async function openLogFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    if (!hasCode(cause, "ENOENT")) throw cause;
    throw new LogError(`failed to try resolving symlinks in path ${JSON.stringify(path)}: lstat ${path}: no such file or directory`, {
      cause,
    });
  }
}

async function* readLog(
  { file: first, start, source }: { readonly file: FileHandle; readonly start: number; readonly source: LogSource },
  selection: Selection,
  { follow }: LogOptions,
  { clock, signal }: LogDeps,
): AsyncGenerator<Buffer, void> {
  let file = first;
  let offset = start;
  let pending: Buffer = Buffer.alloc(0);
  const changes = follow ? watchFile(source.path, clock, signal) : undefined;
  try {
    for (;;) {
      // Asked before reading: what a container wrote before it ended is in the file by then.
      const running = follow && source.isRunning();
      const rotated = follow && (await isReplaced(file, source.path));
      for (;;) {
        const block = Buffer.allocUnsafe(BLOCK_BYTES);
        const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, offset);
        if (bytesRead === 0) break;
        offset += bytesRead;
        const { lines, rest } = splitLines(pending, block.subarray(0, bytesRead));
        pending = rest;
        const chosen = selection.choose(lines);
        if (chosen.length > 0) yield chosen;
        if (selection.isFull() || signal.aborted) return;
      }
      if (rotated) {
        await file.close();
        file = await openLogFile(source.path);
        offset = 0;
        pending = Buffer.alloc(0);
        continue;
      }
      if (!running || signal.aborted) break;
      await changes?.next();
      const { size } = await file.stat();
      if (size < offset) offset = 0; // emptied in place
    }
    if (signal.aborted || pending.length === 0) return;
    const chosen = selection.choose([pending]);
    if (chosen.length > 0) yield chosen;
  } finally {
    changes?.close();
    await file.close();
  }
}

function splitLines(pending: Buffer, block: Buffer): { readonly lines: readonly Buffer[]; readonly rest: Buffer } {
  const lines: Buffer[] = [];
  let from = 0;
  for (let end = block.indexOf(10); end >= 0; end = block.indexOf(10, from)) {
    const line = block.subarray(from, end + 1);
    lines.push(from === 0 && pending.length > 0 ? Buffer.concat([pending, line]) : line);
    from = end + 1;
  }
  const rest = block.subarray(from);
  return { lines, rest: from === 0 ? Buffer.concat([pending, rest]) : Buffer.from(rest) };
}

/** Where the last `lines` lines begin. */
async function tailStart(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat();
  let newlines = 0;
  const block = Buffer.alloc(BLOCK_BYTES);
  for (let end = size; end > 0; ) {
    const length = Math.min(BLOCK_BYTES, end);
    const { bytesRead } = await file.read(block, 0, length, end - length);
    for (let i = bytesRead - 1; i >= 0; i--) {
      if (block[i] !== 10) continue;
      newlines += 1;
      if (newlines > lines) return end - length + i + 1;
    }
    end -= length;
  }
  return lines === 0 && newlines === 0 ? size : 0;
}

interface Selection {
  /** What of these lines the client gets. */
  choose(lines: readonly Buffer[]): Buffer;
  /** The client has had all the bytes it asked for. */
  isFull(): boolean;
}

function createSelection({ stream, timestamps, limitBytes, sinceSeconds, sinceTime }: LogOptions, clock: Clock): Selection {
  const sinceMs = sinceSeconds === undefined ? undefined : clock.now() - sinceSeconds * 1000;
  const since = sinceTime ?? (sinceMs === undefined ? undefined : { seconds: Math.floor(sinceMs / 1000), nanos: (sinceMs % 1000) * 1e6 });
  const wanted = stream === "All" ? undefined : stream.toLowerCase();
  let left = limitBytes ?? Number.POSITIVE_INFINITY;
  let atLineStart = true;
  return {
    isFull: () => left <= 0,
    choose(lines) {
      const parts: Buffer[] = [];
      for (const raw of lines) {
        const line = parseLogLine(raw);
        if (line === undefined) continue; // half a line after a crash of the writer
        if (wanted !== undefined && line.stream !== wanted) continue;
        if (since !== undefined && isBefore(line.time, since)) continue;
        if (timestamps && atLineStart) put(Buffer.from(`${formatLogTime(line.time)} `));
        put(line.text);
        atLineStart = line.text.length === 0 || line.text.at(-1) === 10;
        if (left <= 0) break;
      }
      return parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts);

      function put(bytes: Buffer) {
        if (left <= 0) return;
        parts.push(bytes.length <= left ? bytes : bytes.subarray(0, left));
        left -= bytes.length;
      }
    },
  };
}

function isBefore(time: string, since: { readonly seconds: number; readonly nanos: number }): boolean {
  const { seconds, nanos } = timeParts(time);
  return seconds < since.seconds || (seconds === since.seconds && nanos < since.nanos);
}

/** Whether the path has another file now; a path without a file is between two. */
async function isReplaced(file: FileHandle, path: string): Promise<boolean> {
  try {
    const [now, then] = await Promise.all([stat(path), file.stat()]);
    return now.ino !== then.ino || now.dev !== then.dev;
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return false;
    throw cause;
  }
}

/** Resolves `next` when something happened to the file or its name since the last time, or some time has passed. */
function watchFile(path: string, clock: Clock, signal: AbortSignal): { next(): Promise<void>; close(): void } {
  const closed = new AbortController();
  const over = AbortSignal.any([signal, closed.signal]);
  const name = basename(path);
  let changed = false;
  let wake: (() => void) | undefined;
  const watcher = (() => {
    try {
      return watch(dirname(path), { persistent: false }, (_event, file) => {
        if (file !== null && file !== name) return;
        changed = true;
        wake?.();
      }).on("error", () => undefined);
    } catch (cause) {
      if (hasCode(cause, "ENOSPC", "EMFILE", "ENOENT")) return undefined; // out of watches: the poll is enough
      throw cause;
    }
  })();
  return {
    async next() {
      if (!changed) {
        const woken = new AbortController();
        wake = () => woken.abort();
        await clock.sleep(POLL_MS, AbortSignal.any([over, woken.signal]));
        wake = undefined;
      }
      changed = false;
    },
    close() {
      closed.abort();
      watcher?.close();
    },
  };
}
