import { createSocket } from "node:dgram";
import { connect } from "node:net";

export interface ForwardOptions {
  readonly transport: "udp" | "tcp";
  readonly signal: AbortSignal;
  /** Per server. @default 2000 */
  readonly timeoutMs?: number;
}

/** Asks the servers in turn; undefined when none answers in time. The answer's id is the query's. */
export async function forwardQuery(
  servers: readonly string[],
  message: Buffer,
  { transport, signal, timeoutMs = 2000 }: ForwardOptions,
): Promise<Buffer | undefined> {
  for (const server of servers) {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const reply = await (transport === "udp" ? askUdp(server, message, limit) : askTcp(server, message, limit));
    if (reply !== undefined) return reply;
    if (signal.aborted) return undefined;
  }
  return undefined;
}

function askUdp(server: string, message: Buffer, limit: AbortSignal): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(server.includes(":") ? "udp6" : "udp4");
    const end = (reply?: Buffer) => {
      limit.removeEventListener("abort", onAbort);
      socket.close();
      resolve(reply);
    };
    const onAbort = () => end();
    limit.addEventListener("abort", onAbort, { once: true });
    socket.once("error", () => end()); // unreachable: the next server is asked
    socket.on("message", (reply) => {
      if (reply.length >= 12 && reply.readUInt16BE(0) === message.readUInt16BE(0)) end(reply);
    });
    socket.send(message, 53, server, (cause) => {
      if (cause !== null) end();
    });
  });
}

function askTcp(server: string, message: Buffer, limit: AbortSignal): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect(53, server);
    let received = Buffer.alloc(0);
    const end = (reply?: Buffer) => {
      limit.removeEventListener("abort", onAbort);
      socket.destroy();
      resolve(reply);
    };
    const onAbort = () => end();
    limit.addEventListener("abort", onAbort, { once: true });
    socket.once("error", () => end());
    socket.once("close", () => end());
    socket.once("connect", () => socket.write(framed(message)));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) end(received.subarray(2, 2 + received.readUInt16BE(0)));
    });
  });
}

/** A DNS message as TCP carries it: after its length. */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}
