import { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { parseChannelMessage, sendChannelMessage } from "../channel-message.ts";
import type { AcceptedWebSocket } from "../upgrade.ts";
import type { PortConnect } from "./pairs.ts";

/** Subprotocols of the older form, and whether messages are base64 text. */
export const CHANNEL_PROTOCOLS: Readonly<Record<string, boolean>> = {
  "v4.channel.k8s.io": false,
  "v4.base64.channel.k8s.io": true,
  "channel.k8s.io": false,
  "base64.channel.k8s.io": true,
  "": false,
};

/** The ports of a query, or upstream's words on what is wrong with it. */
export function parsePorts(query: URLSearchParams): readonly number[] | string {
  const texts = query.getAll("port").flatMap((value) => value.split(","));
  if (texts.length === 0) return 'query parameter "port" is required';
  const ports: number[] = [];
  for (const text of texts) {
    if (text === "") return 'query parameter "port" cannot be empty';
    const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
    if (port < 0 || port > 65535) return `unable to parse "${text}" as a port`;
    if (port < 1) return `port "${text}" must be > 0`;
    ports.push(port);
  }
  return ports;
}

/**
 * Serves one connection for each port: channel 2i is its data, 2i+1 its errors, and each begins with the port as two bytes,
 * low byte first. Resolves when the client has gone and every connection has ended.
 */
export async function serveChannels(
  { webSocket, protocol }: AcceptedWebSocket,
  ports: readonly number[],
  connect: PortConnect,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const base64 = CHANNEL_PROTOCOLS[protocol] ?? false;
  const gone = new AbortController();
  const over = AbortSignal.any([gone.signal, signal]);
  const channels = ports.map((_port, i) => channelDuplex(webSocket, 2 * i, base64));
  webSocket.on("message", (raw) => {
    const message = parseChannelMessage(raw, { base64 });
    if (message === undefined) return;
    const { channel, body } = message;
    const duplex = channel % 2 === 0 ? channels[channel / 2] : undefined;
    if (duplex === undefined || duplex.destroyed || duplex.readableEnded) return;
    if (!duplex.push(body)) webSocket.pause();
  });
  const closed = new Promise<void>((resolve) => webSocket.once("close", () => resolve()));
  const stop = () => webSocket.terminate();
  signal.addEventListener("abort", stop, { once: true });
  for (const [i, port] of ports.entries()) {
    const body = Buffer.from([port & 0xff, port >> 8]);
    for (const channel of [2 * i, 2 * i + 1]) sendChannelMessage(webSocket, { channel, body }, { base64 }, () => undefined);
  }
  const connections = ports.map(async (port, i) => {
    const duplex = channels[i];
    if (duplex === undefined) return;
    try {
      await connect(port, duplex, over);
    } catch (cause) {
      const body = Buffer.from(cause instanceof Error ? cause.message : String(cause));
      sendChannelMessage(webSocket, { channel: 2 * i + 1, body }, { base64 }, () => undefined);
    }
    duplex.destroy();
  });
  await Promise.race([closed, Promise.all(connections)]);
  webSocket.resume();
  webSocket.close(1000);
  gone.abort();
  signal.removeEventListener("abort", stop);
  for (const duplex of channels) duplex.destroy();
  await Promise.all(connections);
}

function channelDuplex(webSocket: WebSocket, channel: number, base64: boolean): Duplex {
  const duplex = new Duplex({
    allowHalfOpen: true,
    read: () => webSocket.resume(),
    write: (body: Buffer, _encoding, callback) => sendChannelMessage(webSocket, { channel, body }, { base64 }, callback),
  });
  webSocket.once("close", () => {
    if (!duplex.destroyed) duplex.push(null);
  });
  return duplex.on("error", () => undefined);
}
