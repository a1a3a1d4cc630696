import { PassThrough, Readable, Writable } from "node:stream";
import type { WebSocket } from "ws";
import type { Clock } from "#base/clock.ts";
import { parseChannelMessage, sendChannelMessage } from "../channel-message.ts";
import { endWritable } from "../end-writable.ts";
import { linger } from "../linger.ts";
import { acceptWebSocket, type Upgrade } from "../upgrade.ts";
import type { RemoteCommandOptions, RemoteCommandStreams } from "./contract.ts";
import { readTerminalSizes } from "./resize.ts";
import { formatRemoteCommandStatus } from "./status.ts";

/** Subprotocols in this server's words; "" is a client that names none. */
const PROTOCOLS: Readonly<Record<string, { readonly base64: boolean; readonly json: boolean; readonly closes: boolean }>> = {
  "v5.channel.k8s.io": { base64: false, json: true, closes: true },
  "v4.channel.k8s.io": { base64: false, json: true, closes: false },
  "v4.base64.channel.k8s.io": { base64: true, json: true, closes: false },
  "channel.k8s.io": { base64: false, json: false, closes: false },
  "base64.channel.k8s.io": { base64: true, json: false, closes: false },
  "": { base64: false, json: false, closes: false },
};

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
/** From version 5 on: the byte that follows names the channel that its sender has closed. */
const CLOSE = 255;

export async function acceptWebSocketCommand(
  upgrade: Upgrade,
  options: RemoteCommandOptions,
  { clock }: { readonly clock: Clock },
): Promise<RemoteCommandStreams | undefined> {
  const accepted = await acceptWebSocket(upgrade, Object.keys(PROTOCOLS));
  if (accepted === undefined) return undefined;
  const { webSocket, protocol } = accepted;
  const { base64 = false, json = false, closes = false } = PROTOCOLS[protocol] ?? {};
  const gone = new AbortController();

  const stdin = options.stdin ? new Readable({ read: () => webSocket.resume() }) : undefined;
  const stdout = options.stdout ? channelWritable(webSocket, STDOUT, base64) : undefined;
  const stderr = options.stderr && !options.tty ? channelWritable(webSocket, STDERR, base64) : undefined;
  const resize = new PassThrough();
  let stdinEnded = false;

  webSocket.on("message", (raw) => {
    const message = parseChannelMessage(raw, { base64 });
    if (message === undefined) return;
    const { channel, body } = message;
    if (channel === STDIN) receive(body);
    else if (channel === RESIZE && options.tty && resize.writableLength < 65536) resize.write(body);
    else if (channel === CLOSE && closes && body[0] === STDIN) endStdin();
  });
  webSocket.on("close", () => {
    endStdin();
    resize.end();
    gone.abort();
  });
  // Upstream tells the client that its streams are ready by an empty message on the first channel it reads.
  await send(webSocket, stdout ? STDOUT : stderr ? STDERR : ERROR, Buffer.alloc(0), base64);

  return { stdin, stdout, stderr, resize: readTerminalSizes(resize), signal: gone.signal, finish };

  function receive(body: Buffer) {
    if (stdin === undefined || stdin.readableEnded || stdin.destroyed || stdinEnded) return;
    if (body.length > 0 && !stdin.push(body)) webSocket.pause();
  }

  function endStdin() {
    if (stdin === undefined || stdinEnded) return;
    stdinEnded = true;
    stdin.push(null);
  }

  async function finish(status: Parameters<RemoteCommandStreams["finish"]>[0]): Promise<void> {
    await Promise.all([stdout, stderr].map(endWritable));
    const text = formatRemoteCommandStatus(status, { json });
    if (text !== "") await send(webSocket, ERROR, Buffer.from(text), base64);
    webSocket.resume(); // the answer to our close frame must be read, whatever stdin still holds
    webSocket.close(1000);
    await linger(upgrade.socket, clock);
  }
}

function channelWritable(webSocket: WebSocket, channel: number, base64: boolean): Writable {
  return new Writable({
    write: (body: Buffer, _encoding, callback) => sendChannelMessage(webSocket, { channel, body }, { base64 }, callback),
  });
}

function send(webSocket: WebSocket, channel: number, body: Buffer, base64: boolean): Promise<void> {
  return new Promise((resolve) => sendChannelMessage(webSocket, { channel, body }, { base64 }, resolve));
}
