import type { RawData, WebSocket } from "ws";

/** The channel protocols put a channel number before each message: a byte, or a digit before base64 text. */
export interface ChannelMessage {
  readonly channel: number;
  readonly body: Buffer;
}

/** undefined: the message is empty, and belongs to no channel. */
export function parseChannelMessage(raw: RawData, { base64 }: { readonly base64: boolean }): ChannelMessage | undefined {
  const message = asBuffer(raw);
  const [first] = message;
  if (first === undefined) return undefined;
  if (!base64) return { channel: first, body: message.subarray(1) };
  return { channel: first - 0x30, body: Buffer.from(message.toString("latin1", 1), "base64") };
}

/** Calls `done` when the message was handed to the kernel, or dropped because the client has gone. */
export function sendChannelMessage(
  webSocket: WebSocket,
  { channel, body }: ChannelMessage,
  { base64 }: { readonly base64: boolean },
  done: () => void,
): void {
  if (webSocket.readyState !== webSocket.OPEN) return done();
  const message = base64 ? `${channel}${body.toString("base64")}` : Buffer.concat([Buffer.from([channel]), body]);
  webSocket.send(message, { binary: !base64 }, () => done());
}

function asBuffer(raw: RawData): Buffer {
  if (Buffer.isBuffer(raw)) return raw;
  return Array.isArray(raw) ? Buffer.concat(raw) : Buffer.from(raw);
}
