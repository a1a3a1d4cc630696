import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { aborted } from "#base/deferred.ts";
import type { Log } from "#base/log.ts";
import { forwardQuery, framed } from "./forward.ts";
import { failure, handleQuery } from "./handler.ts";
import type { ZoneView } from "./zone.ts";

export interface DnsDeps {
  readonly zone: ZoneView;
  readonly log: Log;
}

export interface DnsOptions {
  readonly address: string;
  readonly port: number;
  /** Resolvers for names outside the cluster's domain; none: such names are answered with SERVFAIL. */
  readonly forwarders: readonly string[];
  readonly onListening?: () => void;
}

/** Holds a burst of some thousand queries while one is answered. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
const MAX_TCP_CONNECTIONS = 256;
const TCP_IDLE_MS = 10_000;

/** Serves the zone over UDP and TCP until `signal` aborts. Rejects when the address cannot be bound. */
export async function runDns(
  { zone, log }: DnsDeps,
  { address, port, forwarders, onListening }: DnsOptions,
  signal: AbortSignal,
): Promise<void> {
  const udp = createSocket({ type: address.includes(":") ? "udp6" : "udp4", recvBufferSize: RECEIVE_BUFFER_BYTES });
  const tcp = createServer({ allowHalfOpen: false });
  tcp.maxConnections = MAX_TCP_CONNECTIONS;
  try {
    await bindUdp(udp, address, port);
    await listenTcp(tcp, address, port);
    onListening?.();
    udp.on("message", (message, client) => {
      void respond(message, "udp").then((reply) => {
        if (reply !== undefined && !signal.aborted) udp.send(reply, client.port, client.address);
      });
    });
    tcp.on("connection", (socket) => serveTcp(socket, respond));
    await aborted(signal);
  } finally {
    await Promise.all([new Promise<void>((resolve) => closeUdp(udp, resolve)), new Promise<void>((resolve) => tcp.close(() => resolve()))]);
  }

  /** Never rejects: what goes wrong becomes SERVFAIL and a log line. */
  async function respond(message: Buffer, transport: "udp" | "tcp"): Promise<Buffer | undefined> {
    try {
      const handled = handleQuery(zone, message, { transport });
      switch (handled.do) {
        case "ignore":
          return undefined;
        case "answer":
          return handled.packet;
        case "forward":
          return (await forwardQuery(forwarders, message, { transport, signal })) ?? failure(message, "SERVFAIL");
      }
    } catch (cause) {
      log.error("DNS query failed", { cause });
      return failure(message, "SERVFAIL");
    }
  }
}

function serveTcp(socket: Socket, respond: (message: Buffer, transport: "tcp") => Promise<Buffer | undefined>): void {
  let received = Buffer.alloc(0);
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy()); // the client went away
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const message = received.subarray(2, 2 + received.readUInt16BE(0));
      received = received.subarray(2 + message.length);
      void respond(Buffer.from(message), "tcp").then((reply) => {
        if (reply !== undefined && socket.writable) socket.write(framed(reply));
      });
    }
  });
}

async function bindUdp(socket: UdpSocket, address: string, port: number): Promise<void> {
  socket.bind(port, address);
  await once(socket, "listening");
  socket.on("error", () => undefined); // a client's address may be unreachable by now; the next query is not affected
}

async function listenTcp(server: Server, address: string, port: number): Promise<void> {
  server.listen(port, address);
  await once(server, "listening");
}

function closeUdp(socket: UdpSocket, done: () => void): void {
  try {
    socket.close(done);
  } catch (cause) {
    if (!(cause instanceof Error) || !cause.message.includes("Not running")) throw cause;
    done();
  }
}
