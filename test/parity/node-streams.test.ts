import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { request } from "node:https";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestServer, type TestServer } from "#apiserver/testing.ts";
import { type Caller, callerOf, failure } from "./call.ts";

const PODS = "/api/v1/namespaces/default/pods";

/** A node agent that tells what it was asked, and switches protocols when asked to. */
const asked: string[] = [];
const agent = createServer((incoming, response) => {
  asked.push(`${incoming.method ?? ""} ${incoming.url ?? ""}`);
  if (incoming.url?.includes("waiting") === true) {
    response.writeHead(400).end('container "waiting" in pod "many" is waiting to start: ContainerCreating');
    return;
  }
  response.writeHead(200, { "content-type": "text/plain" });
  response.write("first line\n");
  response.end("last line\n");
});
agent.on("upgrade", (incoming: IncomingMessage, socket) => {
  asked.push(`${incoming.method ?? ""} ${incoming.url ?? ""}`);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${incoming.headers.upgrade ?? ""}\r\n\r\n`);
  socket.on("data", (chunk: Buffer) => socket.end(`echo ${chunk.toString()}`));
  socket.on("error", () => undefined);
});

let server: TestServer;
let call: Caller;
beforeAll(async () => {
  await new Promise<void>((resolve) => agent.listen(0, "127.0.0.1", resolve));
  const { port } = agent.address() as AddressInfo;
  server = await startTestServer({
    dialKubelet: async ({ metadata }) => (metadata.name === "n1" ? { base: new URL(`http://127.0.0.1:${port}`) } : undefined),
  });
  call = callerOf(server);
  await call("POST", "/api/v1/namespaces/default/serviceaccounts", { body: { metadata: { name: "default" } } });
  await call("POST", "/api/v1/nodes", { body: { metadata: { name: "n1" } } });
  const containers = (...names: string[]) => names.map((name) => ({ name, image: "i" }));
  await call("POST", PODS, { body: { metadata: { name: "one" }, spec: { nodeName: "n1", containers: containers("c") } } });
  await call("POST", PODS, {
    body: {
      metadata: { name: "many" },
      spec: { nodeName: "n1", containers: containers("a", "waiting"), initContainers: containers("init") },
    },
  });
  await call("POST", PODS, { body: { metadata: { name: "unbound" }, spec: { containers: containers("c") } } });
});
afterAll(async () => {
  call[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
  agent.closeAllConnections();
  await new Promise((resolve) => agent.close(resolve));
});

describe("logs", () => {
  test("come from the pod's node, with the options as they were given", async () => {
    const { code, text, headers } = await call("GET", `${PODS}/one/log?tailLines=5&follow=true&pretty=true`);
    expect([code, text, headers["content-type"]]).toEqual([200, "first line\nlast line\n", "text/plain"]);
    expect(asked.at(-1)).toBe("GET /containerLogs/default/one/c?follow=true&tailLines=5");
  });

  test("of a pod with several containers need a name, and a right one", async () => {
    const none = await call("GET", `${PODS}/many/log`);
    expect([none.code, none.body]).toEqual([
      400,
      failure(
        400,
        "BadRequest",
        "a container name must be specified for pod many, choose one of: [a waiting] or one of the init containers: [init]",
      ),
    ]);
    const wrong = await call("GET", `${PODS}/many/log?container=x`);
    expect(wrong.body).toEqual(failure(400, "BadRequest", "container x is not valid for pod many"));
  });

  test("that the node cannot give are a Status with its words", async () => {
    const { code, body } = await call("GET", `${PODS}/many/log?container=waiting`);
    expect([code, body]).toEqual([
      400,
      failure(400, "BadRequest", 'container "waiting" in pod "many" is waiting to start: ContainerCreating'),
    ]);
  });

  test("of a pod without a node are empty", async () => {
    const { code, text } = await call("GET", `${PODS}/unbound/log`);
    expect([code, text]).toEqual([200, ""]);
  });
});

describe("exec", () => {
  test("switches protocols and connects both ends", async () => {
    const { certPem, keyPem } = server.admin;
    const echoed = await new Promise<string>((resolve, reject) => {
      const sent = request(new URL(`${PODS}/one/exec?command=sh&command=-c&stdin=true&stdout=true`, server.url), {
        method: "POST",
        ca: server.ca.certPem,
        cert: certPem,
        key: keyPem,
        headers: { connection: "Upgrade", upgrade: "SPDY/3.1" },
      });
      sent.on("upgrade", (_response, socket) => {
        let text = "";
        socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
        socket.on("end", () => resolve(text));
        socket.write("hello");
      });
      sent.on("response", (response) => reject(new Error(`answered ${response.statusCode ?? 0}`)));
      sent.on("error", reject);
      sent.end();
    });
    expect(echoed).toBe("echo hello");
    expect(asked.at(-1)).toBe("POST /exec/default/one/c?input=1&output=1&command=sh&command=-c");
  });

  test("needs an upgrade, streams and a command", async () => {
    const plain = await call("POST", `${PODS}/one/exec?command=sh&stdout=true`);
    expect(plain.body).toEqual(failure(400, "BadRequest", "Upgrade request required"));
    const { code, body } = await call("POST", `${PODS}/one/exec?command=sh`);
    expect([code, (body as { reason: string }).reason]).toEqual([422, "Invalid"]);
    const unbound = await call("POST", `${PODS}/unbound/exec?command=sh&stdout=true`);
    expect(unbound.body).toEqual(failure(400, "BadRequest", "pod unbound does not have a host assigned"));
  });

  test("by GET needs the right to create, too", async () => {
    const reader = await server.certificateOf("reader");
    await call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
      body: { metadata: { name: "exec-get" }, rules: [{ apiGroups: [""], resources: ["pods/exec"], verbs: ["get"] }] },
    });
    await call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      body: {
        metadata: { name: "exec-get" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "exec-get" },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "reader" }],
      },
    });
    const { code, body } = await call("GET", `${PODS}/one/exec?command=sh&stdout=true`, { as: reader });
    expect([code, (body as { message: string }).message]).toEqual([
      403,
      'pods "one" is forbidden: User "reader" cannot create resource "pods/exec" in API group "" in the namespace "default"',
    ]);
  });
});

test("nodes/proxy reaches the agent's own paths", async () => {
  const { code, text } = await call("GET", "/api/v1/nodes/n1/proxy/stats/summary?x=1");
  expect([code, text]).toEqual([200, "first line\nlast line\n"]);
  expect(asked.at(-1)).toBe("GET /stats/summary?x=1");
});
