import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { connect as connectTcp, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "#base/node/system-clock.ts";
import { silentLog } from "#base/log.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { openPortForward } from "#streaming/port-forward/client.ts";
import { runRemoteCommand } from "#streaming/remote-command/client.ts";
import { exitStatus } from "#streaming/remote-command/status.ts";
import { splice } from "#streaming/splice.ts";
import type { PodRuntime } from "../pod-runtime.ts";
import type { NodeAccess, StreamingRuntime } from "./contract.ts";
import { createKubeletServer, type KubeletServer } from "./server.ts";
import { type Identities, testIdentities } from "./testing.ts";

const { signal } = new AbortController();
let ids: Identities;
let directory: string;
let server: KubeletServer;
let base: string;
const asked: NodeAccess[] = [];
const prepared: unknown[] = [];

/** Its commands copy stdin to stdout and end with code 3. */
const streaming: StreamingRuntime = {
  exec: async (target) => {
    if (target.command[0] === "refused") throw new Error("rpc error: code = Unknown desc = no such thing");
    prepared.push(target);
    return async ({ stdin, stdout }) => {
      for await (const chunk of stdin ?? []) stdout?.write(chunk);
      return exitStatus(3);
    };
  },
  attach: () => Promise.reject(new Error("not attached")),
  portForward: async () => ({
    async connect(_port, data, over) {
      const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
      await new Promise((resolve) => echo.once("listening", resolve));
      const address = echo.address();
      if (address === null || typeof address === "string") throw new Error("no port");
      await splice(connectTcp({ port: address.port, host: "127.0.0.1", allowHalfOpen: true }), data, over);
      echo.close();
    },
    [Symbol.asyncDispose]: async () => undefined,
  }),
  run: async (_id, command) => Buffer.from(command.join("|")),
};

beforeAll(async () => {
  ids = await testIdentities();
  directory = await mkdtemp(join(tmpdir(), "navarch-kubelet-"));
  const logPath = join(directory, "0.log");
  await writeFile(logPath, "2030-01-01T00:00:00Z stdout F one\n2030-01-01T00:00:01Z stdout F two\n");
  const pods = new Map([["default/web", webPod]]);
  const runtime: PodRuntime = {
    uid: "uid-1",
    name: "web",
    namespace: "default",
    sandboxes: [{ id: "sandbox", attempt: 0, ready: true, createdAt: 0, ips: [] }],
    containers: [{ ...container, id: "abc", name: "c", state: "running", logPath }],
  };
  server = createKubeletServer({
    nodeName: "node-1",
    tls: ids.server,
    authenticateToken: async (token) => (token === "good" ? { name: "by-token", groups: [] } : undefined),
    authorize: async (access) => {
      asked.push(access);
      return access.user.name !== "nobody";
    },
    pods: {
      pods: () => [...pods.values()],
      pod: (namespace, name) => pods.get(`${namespace}/${name}`),
      runtime: (uid) => (uid === "uid-1" ? runtime : undefined),
    },
    streaming,
    metrics: async (path) => (path === "/metrics" ? { contentType: "text/plain; version=0.0.4", body: "up 1\n" } : undefined),
    clock: systemClock,
    log: silentLog,
  }); // prettier-ignore
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  base = `https://127.0.0.1:${port}`;
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

describe("createKubeletServer()", () => {
  test.each([
    ["no credentials", undefined, {}, 401, "Unauthorized"],
    ["a bad token", undefined, { authorization: "Bearer bad" }, 401, "Unauthorized"],
    ["a good token", undefined, { authorization: "Bearer good" }, 200, "ok"],
    ["a certificate of another CA", "stranger", {}, 401, "Unauthorized"],
    ["a user without leave", "nobody", {}, 403, "Forbidden (user=nobody, verb=get, resource=nodes, subresource(s)=[healthz proxy])\n"],
    ["the API server's certificate", "apiserver", {}, 200, "ok"],
  ] as const)("K1: with %s", async (_name, who, headers, code, body) => {
    const identity = who === undefined ? {} : ids[who];
    expect(await get("/healthz", { ...identity, headers })).toEqual({ code, body });
  });

  test("K1: asks for leave with user, groups, verb and subresources", async () => {
    await get("/containerLogs/default/web/c");
    expect(asked.at(-1)).toEqual({
      user: { name: "kube-apiserver", groups: ["system:masters", "system:authenticated"] },
      verb: "get",
      nodeName: "node-1",
      subresources: ["proxy"],
      path: "/containerLogs/default/web/c",
    });
  });

  test.each([
    ["/containerLogs/default/web/c", 200, "one\ntwo\n"],
    ["/containerLogs/default/web/c?tailLines=1&timestamps=true", 200, "2030-01-01T00:00:01.000000000Z two\n"],
    ["/containerLogs/default/web/c?tailLines=x", 400, '{"message": "Unable to decode query."}'],
    ["/containerLogs/default/web/c?tailLines=-1", 422, '{"message": "Invalid request."}'],
    ["/containerLogs/default/web/c?previous=true", 400, 'previous terminated container "c" in pod "web" not found'],
    ["/containerLogs/default/web/d", 404, 'container "d" not found in pod "web"'],
    ["/containerLogs/default/gone/c", 404, 'pod "gone" does not exist'],
    ["/exec/default/web/c?command=ls", 400, "you must specify at least 1 of stdin, stdout, stderr"],
    ["/exec/default/web/c?command=ls&output=1", 400, "Upgrade request required\n"],
    ["/exec/default/web/other?command=ls&output=1", 500, 'container not found ("other")'],
    ["/exec/default/gone/c?command=ls&output=1", 404, "pod does not exist"],
    ["/portForward/default/web/other-uid", 404, "pod not found"],
    ["/run/default/web/c?cmd=ls", 405, "Method Not Allowed"],
    ["/metrics", 200, "up 1\n"],
    ["/metrics/cadvisor", 404, "404 page not found\n"],
    ["/logs/syslog", 405, "logs endpoint is disabled.\n"],
    ["/%zz", 400, "invalid path\n"],
    ["/nothing", 404, "404 page not found\n"],
  ])("GET %s", async (path, code, body) => {
    expect(await get(path)).toEqual({ code, body });
  });

  test("lists pods, and those that run", async () => {
    const pods = JSON.parse((await get("/pods")).body);
    expect(pods).toEqual({ kind: "PodList", apiVersion: "v1", metadata: {}, items: [webPod] });
    expect(JSON.parse((await get("/runningpods")).body).items[0].spec.containers).toEqual([{ name: "c", image: "busybox", resources: {} }]);
  });

  test("says by a Status what it does not provide", async () => {
    const { code, body } = await get("/stats/summary");
    expect([code, JSON.parse(body).message]).toEqual([501, "this node does not provide stats/summary"]);
  });

  test("runs a command to its end", async () => {
    expect(await get("/run/default/web/c?cmd=echo%20hi", { ...ids.apiserver, method: "POST" })).toEqual({ code: 200, body: "echo|hi" });
  });

  test("serves exec over SPDY with its exit code", async () => {
    const options = { stdin: true, stdout: true, stderr: true, tty: false };
    const stdin = new PassThrough();
    const stdout = new PassThrough();
    const chunks: Buffer[] = [];
    stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    stdin.end("hello");
    const url = new URL(`${base}/exec/default/web/uid-1/c?input=1&output=1&error=1&command=cat&command=-`);
    const status = await runRemoteCommand(
      url,
      options,
      { stdin, stdout, stderr: undefined, resize: noSizes(), signal },
      { signal, tls: ids.apiserver },
    );
    expect([status, Buffer.concat(chunks).toString()]).toEqual([exitStatus(3), "hello"]);
    expect(prepared.at(-1)).toEqual({ ...options, containerId: "abc", command: ["cat", "-"] });
  }); // prettier-ignore

  test("serves exec over WebSocket v5, and passes over stderr with a terminal", async () => {
    const ws = new WebSocket(`${base}/exec/default/web/c?input=1&output=1&error=1&tty=1&command=sh`, ["v5.channel.k8s.io"], ids.apiserver);
    const messages: string[] = [];
    ws.on("message", (message: Buffer) => messages.push(message.toString()));
    await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject));
    ws.send(Buffer.from("\0typed"));
    ws.send(Buffer.from([255, 0]));
    await new Promise((resolve) => ws.once("close", resolve));
    expect(messages).toEqual(["\u0001", "\u0001typed", `\u0003${JSON.stringify(exitStatus(3))}`]);
    expect(prepared.at(-1)).toMatchObject({ tty: true, stderr: false });
  });

  test("serves logs over WebSocket", async () => {
    const ws = new WebSocket(`${base}/containerLogs/default/web/c?stream=Stdout`, ["binary.k8s.io"], ids.apiserver);
    const messages: string[] = [];
    ws.on("message", (message: Buffer) => messages.push(message.toString()));
    await new Promise((resolve) => ws.once("close", resolve));
    expect(messages.join("")).toBe("one\ntwo\n");
  });

  test("K2: refuses before the upgrade what the runtime refuses", async () => {
    const options = { stdin: false, stdout: true, stderr: false, tty: false };
    const url = new URL(`${base}/exec/default/web/c?output=1&command=refused`);
    const streams = { stdin: undefined, stdout: undefined, stderr: undefined, resize: noSizes(), signal };
    await expect(runRemoteCommand(url, options, streams, { signal, tls: ids.apiserver })).rejects.toThrow(
      "unable to upgrade connection: rpc error: code = Unknown desc = no such thing",
    );
  });

  test("forwards ports", async () => {
    await using client = await openPortForward(new URL(`${base}/portForward/default/web`), { signal, tls: ids.apiserver });
    const local = createServer({ allowHalfOpen: true }, (socket) => void client.connect(80, socket, signal)).listen(0, "127.0.0.1");
    await new Promise((resolve) => local.once("listening", resolve));
    const address = local.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const socket = connectTcp({ port: address.port, host: "127.0.0.1" });
    socket.end("through all of it");
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk);
    local.close();
    expect(Buffer.concat(chunks).toString()).toBe("through all of it");
  });

  test("takes a new certificate without a restart", async () => {
    const before = await serverCertificate();
    server.setTls(ids.renewed);
    expect(await serverCertificate()).not.toBe(before);
    expect((await get("/healthz")).code).toBe(200);
  });

  test("K3: ends followers and streams when disposed", async () => {
    const other = createKubeletServer({
      nodeName: "node-1",
      tls: ids.server,
      authorize: async () => true,
      pods: {
        pods: () => [],
        pod: () => webPod,
        runtime: () => ({
          uid: "uid-1",
          name: "web",
          namespace: "default",
          sandboxes: [],
          containers: [{ ...container, id: "abc", name: "c", state: "running", logPath: join(directory, "0.log") }],
        }),
      },
      streaming: {
        ...streaming,
        exec:
          async () =>
          ({ signal: gone }) =>
            new Promise((resolve) => gone.addEventListener("abort", () => resolve(exitStatus(0)))),
      },
      clock: systemClock,
      log: silentLog,
    }); // prettier-ignore
    const { port } = await other.listen({ host: "127.0.0.1", port: 0 });
    const ws = new WebSocket(`https://127.0.0.1:${port}/exec/default/web/c?output=1&command=x`, ["v5.channel.k8s.io"], ids.apiserver);
    await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject));
    const follower = await open(`https://127.0.0.1:${port}/containerLogs/default/web/c?follow=true`);
    follower.on("error", () => undefined).resume();
    const ended = Promise.all([
      new Promise((resolve) => ws.once("close", resolve)),
      new Promise((resolve) => follower.once("close", resolve)),
    ]);
    await other[Symbol.asyncDispose]();
    await ended;
  });
});

interface GetOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cert?: string;
  readonly key?: string;
}

function open(url: string, options: GetOptions = ids.apiserver): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { ca: ids.server.clientCa, agent: false, ...options })
      .on("response", resolve)
      .on("error", reject)
      .end(); // prettier-ignore
  });
}

async function get(path: string, options: GetOptions = ids.apiserver): Promise<{ code: number | undefined; body: string }> {
  const response = await open(`${base}${path}`, options);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { code: response.statusCode, body: Buffer.concat(chunks).toString() };
}

async function serverCertificate(): Promise<string> {
  const response = await open(`${base}/healthz`);
  const { socket } = response as unknown as { readonly socket: { getPeerCertificate(): { readonly fingerprint256: string } } };
  const { fingerprint256 } = socket.getPeerCertificate();
  response.resume();
  return fingerprint256;
}

async function* noSizes() {}

const container = {
  sandboxId: "sandbox",
  restartCount: 0,
  hash: "",
  createdAt: 0,
  startedAt: 0,
  finishedAt: 0,
  exitCode: 0,
  reason: "",
  message: "",
  image: "busybox",
  imageId: "",
}; // prettier-ignore

const webPod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "default", uid: "uid-1", resourceVersion: "1", creationTimestamp: "2030-01-01T00:00:00Z" },
  spec: { containers: [{ name: "c", image: "busybox" }] },
  status: {
    containerStatuses: [
      { name: "c", ready: true, restartCount: 0, image: "busybox", imageID: "", containerID: "containerd://abc", state: { running: {} } },
    ],
  },
} as unknown as Stored<Pod>; // prettier-ignore
