import { createServer, type IncomingMessage, type Server } from "node:http";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { deferred } from "#base/deferred.ts";
import { systemClock } from "#base/node/system-clock.ts";
import { proxyUpgrade } from "./proxy-upgrade.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

describe("proxyUpgrade()", () => {
  test("splices a WebSocket both ways, without the client's credentials", async () => {
    const seen: IncomingMessage[] = [];
    const wss = new WebSocketServer({ noServer: true });
    const backend = await listen((request, socket, head) => {
      seen.push(request);
      wss.handleUpgrade(request, socket, head, (ws) => ws.on("message", (message, binary) => ws.send(message, { binary })));
    });
    const { url, finished } = await proxyTo(`${backend}/exec/ns/pod/c?output=1`);
    const ws = new WebSocket(url, ["v5.channel.k8s.io", "base64url.bearer.authorization.k8s.io.c2VjcmV0"], {
      headers: { Authorization: "Bearer secret", "X-Remote-User": "root", "X-Kept": "yes" },
    });
    await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject));
    const large = Buffer.alloc(3_000_000, "z");
    ws.send(large);
    const echoed = await new Promise<Buffer>((resolve) => ws.once("message", resolve));
    expect(echoed.equals(large)).toBe(true);
    ws.close(1000);
    await new Promise((resolve) => ws.once("close", resolve));
    await finished();
    const { url: path, headers } = seen[0] ?? {};
    expect(path).toBe("/exec/ns/pod/c?output=1");
    expect([headers?.authorization, headers?.["x-remote-user"], headers?.["x-kept"], headers?.["sec-websocket-protocol"]]).toEqual([
      undefined,
      undefined,
      "yes",
      "v5.channel.k8s.io",
    ]);
  });

  test("relays an answer other than 101 whole", async () => {
    const backend = await listen((_request, socket) => {
      socket.end(
        "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n12\r\npod does not exist\r\n0\r\n\r\n",
      );
    });
    const { url, finished } = await proxyTo(backend);
    const text = await rawRequest(url);
    await finished();
    expect(text).toBe("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\npod does not exist");
  });

  test("answers with upstream's words when the target cannot be reached", async () => {
    const { url, finished } = await proxyTo("http://127.0.0.1:1/");
    const text = await rawRequest(url);
    await finished();
    expect(text.split("\r\n")[0]).toBe("HTTP/1.1 500 Internal Server Error");
    expect(JSON.parse(text.split("\r\n\r\n")[1] ?? "")).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: "error dialing backend: dial tcp 127.0.0.1:1: connect: connection refused",
      code: 500,
    });
  });

  test("closes the target's connection when the client breaks off, and the other way round", async () => {
    for (const breaker of ["client", "backend"] as const) {
      const backendSocket = deferred<Duplex>();
      const backend = await listen((_request, socket) => {
        socket.on("error", () => undefined);
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n");
        backendSocket.resolve(socket);
      });
      const { url, finished } = await proxyTo(backend);
      const client = rawSocket(url);
      client.on("error", () => undefined);
      client.resume();
      const far = await backendSocket.promise;
      far.resume().once("end", () => far.end());
      await new Promise((resolve) => client.once("data", resolve));
      const [broken, other] = breaker === "client" ? [client, far] : [far, client];
      const closed = new Promise((resolve) => other.once("close", resolve));
      broken.destroy();
      await closed;
      await finished();
    }
  });

  test("ends both connections at abort", async () => {
    const backend = await listen((_request, socket) => {
      socket.on("error", () => undefined);
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n");
    });
    const { url, finished, abort } = await proxyTo(backend);
    const client = rawSocket(url);
    client.on("error", () => undefined);
    await new Promise((resolve) => client.once("data", resolve));
    const closed = new Promise((resolve) => client.once("close", resolve));
    abort();
    await closed;
    await finished();
  });
});

async function proxyTo(target: string) {
  const controller = new AbortController();
  const done: Promise<void>[] = [];
  const url = await listen((request, socket, head) => {
    done.push(proxyUpgrade({ request, socket, head }, { url: new URL(target), clock: systemClock, signal: controller.signal }));
  });
  return { url, finished: () => Promise.all(done), abort: () => controller.abort() };
}

async function listen(onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void): Promise<string> {
  const server = createServer().on("upgrade", onUpgrade);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(server);
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

function rawSocket(url: string) {
  const { port } = new URL(url);
  const socket = connect({ host: "127.0.0.1", port: Number(port) });
  socket.write(
    "POST /api HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n",
  );
  return socket;
}

async function rawRequest(url: string): Promise<string> {
  const chunks: Buffer[] = [];
  const socket = rawSocket(url).on("data", (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(chunks).toString();
}
