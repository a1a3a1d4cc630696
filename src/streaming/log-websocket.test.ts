import { createServer, type Server } from "node:http";
import { PassThrough, Readable } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "#base/node/system-clock.ts";
import { serveLogWebSocket } from "./log-websocket.ts";

const { signal } = new AbortController();
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

describe("serveLogWebSocket()", () => {
  test.each([
    [[], "bytes", true],
    [["binary.k8s.io"], "bytes", true],
    [["base64.binary.k8s.io"], Buffer.from("bytes").toString("base64"), false],
  ])("offered %j sends %s", async (protocols, expected, binary) => {
    const ws = new WebSocket(await serve(async () => Readable.from([Buffer.from("bytes")], { objectMode: false })), protocols);
    const messages: [string, boolean][] = [];
    ws.on("message", (message: Buffer, isBinary) => messages.push([message.toString(), isBinary]));
    const code = await new Promise((resolve) => ws.once("close", resolve));
    expect([messages, code, ws.protocol]).toEqual([[[expected, binary]], 1000, protocols[0] ?? ""]);
  });

  test("ends the log when the client goes away", async () => {
    const log = new PassThrough();
    const ws = new WebSocket(await serve(async () => log));
    log.write("a line\n");
    await new Promise((resolve) => ws.once("message", resolve));
    const closed = new Promise((resolve) => log.once("close", resolve));
    ws.terminate();
    await closed;
  });
});

async function serve(open: (signal: AbortSignal) => Promise<Readable>): Promise<string> {
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    void serveLogWebSocket({ request, socket, head }, open, { clock: systemClock, signal });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(server);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}
