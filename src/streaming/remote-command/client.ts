import { type Duplex, type Readable, Writable } from "node:stream";
import { dialSpdy, type DialOptions } from "../dial-spdy.ts";
import type { SpdySession } from "../spdy/session.ts";
import type { RemoteCommandOptions, RemoteCommandStreams } from "./contract.ts";
import { formatTerminalSize } from "./resize.ts";
import { internalErrorStatus, parseRemoteCommandStatus, type RemoteCommandStatus } from "./status.ts";

const PROTOCOLS = ["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"];

/**
 * The client's side of exec and attach over SPDY: connects `streams` with the command behind `url` until it has ended,
 * and returns its outcome. Does not call `streams.finish`. Rejects with DialError when the server cannot be reached or
 * refuses; ends early when `streams.signal` aborts.
 */
export async function runRemoteCommand(
  url: URL,
  options: RemoteCommandOptions,
  streams: Omit<RemoteCommandStreams, "finish">,
  dial: Omit<DialOptions, "protocols">,
): Promise<RemoteCommandStatus> {
  const signal = AbortSignal.any([dial.signal, streams.signal]);
  const { session, protocol } = await dialSpdy(url, { ...dial, signal, protocols: PROTOCOLS });
  const stop = () => session.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await connectStreams(session, protocol, options, { ...streams, signal });
  } catch (cause) {
    if (signal.aborted) return internalErrorStatus("the client has gone");
    throw cause;
  } finally {
    signal.removeEventListener("abort", stop);
    await session.close();
    session.destroy();
  }
}

async function connectStreams(
  session: SpdySession,
  protocol: string,
  options: RemoteCommandOptions,
  { stdin, stdout, stderr, resize, signal }: Omit<RemoteCommandStreams, "finish">,
): Promise<RemoteCommandStatus> {
  const open = async (type: string) => (await session.open(new Map([["streamtype", type]]), signal)).duplex;
  const error = await open("error");
  const remoteStdin = options.stdin ? await open("stdin") : undefined;
  const remoteStdout = options.stdout ? await open("stdout") : undefined;
  const remoteStderr = options.stderr && !options.tty ? await open("stderr") : undefined;
  const remoteResize = options.tty && /^v[34]\./.test(protocol) ? await open("resize") : undefined;

  error.end();
  if (remoteStdin !== undefined) {
    remoteStdin.resume();
    if (stdin === undefined) remoteStdin.end();
    else stdin.pipe(remoteStdin);
  }
  if (remoteResize !== undefined) void forwardSizes(resize, remoteResize);
  const [text] = await Promise.all([readText(error), copy(remoteStdout, stdout), copy(remoteStderr, stderr)]);
  if (stdin !== undefined && remoteStdin !== undefined) stdin.unpipe(remoteStdin);
  if (text === "" && signal.aborted) return internalErrorStatus("the client has gone");
  return parseRemoteCommandStatus(text);
}

async function forwardSizes(resize: RemoteCommandStreams["resize"], remote: Duplex): Promise<void> {
  remote.resume();
  for await (const size of resize) {
    if (remote.destroyed || remote.writableEnded) return;
    remote.write(formatTerminalSize(size));
  }
  remote.end();
}

/** Resolves when all has been read and handed on; `to` stays open. */
async function copy(from: Readable | undefined, to: Writable | undefined): Promise<void> {
  if (from === undefined) return;
  const sink = to ?? new Writable({ write: (_chunk, _encoding, done) => done() });
  from.pipe(sink, { end: false });
  await new Promise<void>((resolve) => {
    from.once("end", resolve).once("close", resolve);
    sink.once("close", () => {
      from.resume(); // nobody takes it any more; the command must not wait for them
      resolve();
    });
  });
}

function readText(from: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  from.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => {
    from.once("close", () => resolve(Buffer.concat(chunks).toString()));
    from.once("end", () => resolve(Buffer.concat(chunks).toString()));
  });
}
