import { Readable } from "node:stream";
import type { Clock } from "#base/clock.ts";
import { deferred } from "#base/deferred.ts";
import { endWritable } from "../end-writable.ts";
import { linger } from "../linger.ts";
import { RESET } from "../spdy/error.ts";
import { openSpdySession } from "../spdy/session.ts";
import type { SpdyStream } from "../spdy/stream.ts";
import { acceptSpdy, type Upgrade } from "../upgrade.ts";
import type { RemoteCommandOptions, RemoteCommandStreams } from "./contract.ts";
import { readTerminalSizes } from "./resize.ts";
import { formatRemoteCommandStatus, type RemoteCommandStatus } from "./status.ts";

/** In this server's order of preference. Resize came with version 3, the outcome as JSON with version 4. */
const PROTOCOLS: Readonly<Record<string, { readonly resize: boolean; readonly json: boolean }>> = {
  "v4.channel.k8s.io": { resize: true, json: true },
  "v3.channel.k8s.io": { resize: true, json: false },
  "v2.channel.k8s.io": { resize: false, json: false },
  "channel.k8s.io": { resize: false, json: false },
};
/** How long a client may take to open its streams. */
const STREAMS_TIMEOUT_MS = 30_000;

export async function acceptSpdyCommand(
  upgrade: Upgrade,
  options: RemoteCommandOptions,
  { clock }: { readonly clock: Clock },
): Promise<RemoteCommandStreams | undefined> {
  const protocol = acceptSpdy(upgrade, Object.keys(PROTOCOLS));
  if (protocol === undefined) return undefined;
  const { resize = false, json = false } = PROTOCOLS[protocol] ?? {};
  const wanted = ["error"];
  if (options.stdin) wanted.push("stdin");
  if (options.stdout) wanted.push("stdout");
  if (options.stderr && !options.tty) wanted.push("stderr");
  if (options.tty && resize) wanted.push("resize");

  const streams = new Map<string, SpdyStream>();
  const complete = deferred();
  const session = openSpdySession(upgrade.socket, {
    role: "server",
    onStream(stream) {
      const type = stream.headers.get("streamtype") ?? "";
      if (!wanted.includes(type) || streams.has(type)) return stream.reset(RESET.refusedStream);
      stream.reply();
      streams.set(type, stream);
      if (streams.size === wanted.length) complete.resolve();
    },
  });
  const gone = new AbortController();
  const ended = session.closed.then(() => gone.abort());
  const settled = new AbortController();
  const timeout = clock.sleep(STREAMS_TIMEOUT_MS, settled.signal);
  await Promise.race([complete.promise, ended, timeout]);
  settled.abort();
  if (streams.size < wanted.length) {
    await session.close();
    await linger(upgrade.socket, clock);
    return undefined;
  }

  const sizes = streams.get("resize")?.duplex;
  for (const type of ["error", "stdout", "stderr"]) streams.get(type)?.duplex.resume(); // nothing is to come on these
  const stdout = streams.get("stdout")?.duplex;
  const stderr = streams.get("stderr")?.duplex;
  return {
    stdin: streams.get("stdin")?.duplex,
    stdout,
    stderr,
    resize: readTerminalSizes(sizes ?? Readable.from([])),
    signal: gone.signal,
    async finish(status: RemoteCommandStatus) {
      await Promise.all([stdout, stderr].map(endWritable));
      const error = streams.get("error")?.duplex;
      const text = formatRemoteCommandStatus(status, { json });
      if (text !== "") error?.write(text);
      await endWritable(error);
      await session.close();
      await linger(upgrade.socket, clock);
    },
  };
}
