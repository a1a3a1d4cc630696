import { randomBytes } from "node:crypto";
import { createServer, get, type IncomingMessage, type Server } from "node:http";
import { Duplex } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "#base/node/system-clock.ts";
import { openSpdySession } from "../spdy/session.ts";
import { acceptPortForward } from "./accept.ts";
import { openPortForward } from "./client.ts";
import type { PortConnect } from "./pairs.ts";
import { parsePorts } from "./websocket-channels.ts";

const { signal } = new AbortController();
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** Port 80 answers in capitals after the client's half has ended; port 81 is closed. */
const connect: PortConnect = async (port, data) => {
  if (port !== 80) throw new Error(`error forwarding port ${port} to pod abc: connection refused`);
  const text = await textOf(data);
  data.end(text.toUpperCase());
  await new Promise((resolve) => data.once("finish", resolve));
};

describe("acceptPortForward()", () => {
  test("serves connections side by side over SPDY, each half closing on its own", async () => {
    await using client = await openPortForward(await serve(connect), { signal });
    const answers = await Promise.all(
      ["one", "two", "three".repeat(100_000)].map(async (question) => {
        const [near, far] = duplexPair();
        const done = client.connect(80, far, signal);
        near.end(question);
        const answer = await textOf(near);
        await done;
        return answer;
      }),
    );
    expect(answers).toEqual(["ONE", "TWO", "THREE".repeat(100_000)]);
  });

  test("tells a failed connection on its error stream and keeps the session", async () => {
    await using client = await openPortForward(await serve(connect), { signal });
    const [, far] = duplexPair();
    await expect(client.connect(81, far, signal)).rejects.toThrow("error forwarding port 81 to pod abc: connection refused");
    const [near, next] = duplexPair();
    const done = client.connect(80, next, signal);
    near.end("still here");
    expect(await textOf(near)).toBe("STILL HERE");
    await done;
  });

  test("serves SPDY inside a WebSocket", async () => {
    const tunnel = await openTunnel(await serve(connect), "SPDY/3.1+portforward.k8s.io");
    expect(tunnel.protocol).toBe("SPDY/3.1+portforward.k8s.io");
    const session = openSpdySession(tunnel.duplex, { role: "client" });
    const headers = (type: string) =>
      new Map([
        ["streamtype", type],
        ["port", "80"],
        ["requestid", "0"],
      ]); // prettier-ignore
    const error = await session.open(headers("error"), signal);
    error.duplex.end();
    const data = await session.open(headers("data"), signal);
    data.duplex.end("through the tunnel");
    expect(await textOf(data.duplex)).toBe("THROUGH THE TUNNEL");
    expect(await textOf(error.duplex)).toBe("");
    await session.close();
    await tunnel.closed;
  });

  test("serves the older WebSocket channels", async () => {
    const url = await serve(async (_port, data) => void data.write(await new Promise<Buffer>((resolve) => data.once("data", resolve))));
    const ws = new WebSocket(`${url}?port=80`, ["v4.channel.k8s.io"]);
    const messages: Buffer[] = [];
    ws.on("message", (raw: Buffer) => messages.push(raw));
    await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject));
    ws.send(Buffer.from([0, ...Buffer.from("echo")]));
    await new Promise((resolve) => ws.once("close", resolve));
    expect(messages.map((message) => [...message])).toEqual([
      [0, 80, 0],
      [1, 80, 0],
      [0, ...Buffer.from("echo")],
    ]);
  });

  test("refuses streams without a port", async () => {
    const { dialSpdy } = await import("../dial-spdy.ts");
    const { session } = await dialSpdy(await serve(connect), { signal, protocols: ["portforward.k8s.io"] });
    await expect(session.open(new Map([["streamtype", "data"]]), signal)).rejects.toThrow("reset it with code 1");
    await session.close();
  });

  test("aborts connections when the client goes away", async () => {
    let aborted: (() => void) | undefined;
    const over = new Promise<void>((resolve) => (aborted = resolve));
    const url = await serve(async (_port, _data, gone) => {
      await new Promise<void>((resolve) => gone.addEventListener("abort", () => resolve()));
      aborted?.();
    });
    const client = await openPortForward(url, { signal });
    const [, far] = duplexPair();
    const done = client.connect(80, far, signal).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await client[Symbol.asyncDispose]();
    await over;
    far.destroy();
    await done;
  });
});

test.each([
  ["port=80&port=443,8080", [80, 443, 8080]],
  ["", 'query parameter "port" is required'],
  ["port=", 'query parameter "port" cannot be empty'],
  ["port=x", 'unable to parse "x" as a port'],
  ["port=0", 'port "0" must be > 0'],
])("parsePorts(%s)", (query, expected) => {
  expect(parsePorts(new URLSearchParams(query))).toEqual(expected);
});

async function serve(connect: PortConnect): Promise<URL> {
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    void acceptPortForward({ request, socket, head }, connect, { clock: systemClock, signal });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(server);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return new URL(`http://127.0.0.1:${address.port}/portForward`);
}

/** Two ends of one connection. */
function duplexPair(): [Duplex, Duplex] {
  const ends: Duplex[] = [0, 1].map(
    (i) =>
      new Duplex({
        read: () => undefined,
        write(chunk: Buffer, _encoding, done) {
          ends[1 - i]?.push(chunk);
          setImmediate(done);
        },
        final(done) {
          ends[1 - i]?.push(null);
          done();
        },
      }),
  );
  const [near, far] = ends;
  if (near === undefined || far === undefined) throw new Error("no ends");
  return [near, far];
}

/** A WebSocket client of few words: binary messages only, masked with zeros. The library refuses subprotocols with a slash. */
async function openTunnel(url: URL, protocol: string): Promise<{ duplex: Duplex; protocol: string | undefined; closed: Promise<unknown> }> {
  const request = get(url, {
    headers: {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": randomBytes(16).toString("base64"),
      "Sec-WebSocket-Protocol": protocol,
    },
  });
  const [response, socket] = await new Promise<[IncomingMessage, Duplex]>((resolve, reject) => {
    request.once("upgrade", (response, socket) => resolve([response, socket])).once("error", reject);
  });
  let pending = Buffer.alloc(0);
  const duplex = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      const header = Buffer.alloc(14);
      header.writeUInt16BE(0x82ff, 0);
      header.writeUInt32BE(chunk.length, 6);
      socket.write(Buffer.concat([header, chunk]), () => done());
    },
  });
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2) {
      const short = (pending[1] ?? 0) & 0x7f;
      const start = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (pending.length < start) return;
      const length = short === 127 ? pending.readUInt32BE(6) : short === 126 ? pending.readUInt16BE(2) : short;
      if (pending.length < start + length) return;
      if (pending[0] === 0x82) duplex.push(pending.subarray(start, start + length));
      if (pending[0] === 0x88) socket.end();
      pending = pending.subarray(start + length);
    }
  });
  return { duplex, protocol: response.headers["sec-websocket-protocol"], closed: new Promise((resolve) => socket.once("close", resolve)) };
}

async function textOf(readable: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  readable.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!readable.readableEnded) await new Promise((resolve) => readable.once("end", resolve).once("close", resolve));
  return Buffer.concat(chunks).toString();
}
