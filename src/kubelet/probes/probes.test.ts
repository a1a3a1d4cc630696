import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import type { Probe } from "#machinery/api/core-v1.ts";
import { container } from "../testing/node.ts";
import { resolvePort } from "./handler.ts";
import { networkProber } from "./network-prober.ts";
import { afterAnswer, initialState } from "./thresholds.ts";

const signal = new AbortController().signal;
const options = { timeoutMs: 2_000, signal };
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function listen(handler: RequestListener): Promise<number> {
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close().closeAllConnections());
  return (server.address() as AddressInfo).port;
}
const http = (port: number, path = "/", rest = {}) =>
  networkProber.http({ scheme: "HTTP", host: "127.0.0.1", port, path, headers: [], ...rest }, options);

test("http(): 2xx and 3xx are success, others failure", async () => {
  const port = await listen((request, response) => {
    response.statusCode = Number(request.url?.slice(1));
    response.end("body");
  });
  expect(await http(port, "/200")).toEqual({ outcome: "success", output: "body" });
  expect(await http(port, "/399")).toMatchObject({ outcome: "success" });
  expect(await http(port, "/400")).toEqual({ outcome: "failure", output: "HTTP probe failed with statuscode: 400" });
  expect(await http(port, "/503")).toEqual({ outcome: "failure", output: "HTTP probe failed with statuscode: 503" });
});

test("http(): follows redirects on its host and stops at another", async () => {
  const port = await listen((request, response) => {
    if (request.url === "/ok") response.end("there");
    else response.writeHead(302, { location: request.url === "/away" ? "http://203.0.113.1/" : "/ok" }).end("moved");
  });
  expect(await http(port, "/here")).toEqual({ outcome: "success", output: "there" });
  expect(await http(port, "/away")).toEqual({ outcome: "warning", output: "Probe terminated redirects, Response body: moved" });
});

test("http(): sends the probe's headers, and its name unless told otherwise", async () => {
  const port = await listen((request, response) =>
    response.end([request.headers["user-agent"], request.headers["x-a"], request.headers.host].join("|")),
  );
  expect((await http(port)).output).toMatch(/^kube-probe\/1\.36\|\|127\.0\.0\.1:\d+$/);
  const headers = [
    { name: "user-agent", value: "mine" },
    { name: "X-A", value: "1" },
    { name: "Host", value: "web.example" },
  ];
  expect((await http(port, "/", { headers })).output).toBe("mine|1|web.example");
});

test("http() and tcp(): tell refused connections and late answers in upstream's words", async () => {
  const port = await listen(() => undefined);
  const late = await networkProber.http({ scheme: "HTTP", host: "127.0.0.1", port, path: "/", headers: [] }, { timeoutMs: 50, signal });
  expect(late).toEqual({
    outcome: "failure",
    output: `Get "http://127.0.0.1:${port}/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
  });
  closers.splice(0).forEach((close) => close());
  expect(await http(port)).toEqual({
    outcome: "failure",
    output: `Get "http://127.0.0.1:${port}/": dial tcp 127.0.0.1:${port}: connect: connection refused`,
  });
  expect(await networkProber.tcp({ host: "127.0.0.1", port }, options)).toEqual({
    outcome: "failure",
    output: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
  });
});

test("http(): a path that makes no URL is a failure of the probe, not of the prober", async () => {
  expect(await networkProber.http({ scheme: "HTTP", host: "not a host", port: 1, path: "/", headers: [] }, options)).toMatchObject({
    outcome: "failure",
  });
});

test("grpc(): asks for a service's health", async () => {
  const answers: Readonly<Record<string, number>> = { "": 1, sick: 2 };
  const server = new GrpcServer();
  server.addService(
    {
      Check: {
        path: "/grpc.health.v1.Health/Check",
        requestStream: false,
        responseStream: false,
        requestSerialize: (value: Buffer) => value,
        requestDeserialize: (bytes: Buffer) => ({ service: bytes.subarray(2).toString() }),
        responseSerialize: (status: number) => Buffer.from([8, status]),
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    },
    {
      Check: (call: { request: { service: string } }, callback: (cause: null, status: number) => void) =>
        callback(null, answers[call.request.service] ?? 3),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (cause, bound) =>
      cause === null ? resolve(bound) : reject(cause),
    );
  });
  closers.push(() => server.forceShutdown());
  const ask = (service: string) => networkProber.grpc({ host: "127.0.0.1", port, service }, options);
  expect(await ask("")).toEqual({ outcome: "success", output: "service healthy" });
  expect(await ask("sick")).toEqual({ outcome: "failure", output: 'service unhealthy (responded with "NOT_SERVING")' });
  expect(await ask("none")).toEqual({ outcome: "failure", output: 'service unhealthy (responded with "SERVICE_UNKNOWN")' });
});

test("resolvePort() knows the container's port names", () => {
  const each = container("main", { ports: [{ name: "http", containerPort: 8080 }] });
  expect([80, "http", "81", "none"].map((port) => resolvePort(each, port))).toEqual([80, 8080, 81, undefined]);
});

const runs: readonly { name: string; type: "liveness" | "readiness" | "startup"; probe: Probe; answers: string; results: string }[] = [
  { name: "liveness: three failures in a row", type: "liveness", probe: {}, answers: "FFSFFF", results: "SSSSSF" },
  { name: "readiness: one success, three failures", type: "readiness", probe: {}, answers: "FSFFSFFF", results: "FSSSSSSF" },
  {
    name: "readiness: two successes wanted",
    type: "readiness",
    probe: { successThreshold: 2, failureThreshold: 1 },
    answers: "SFSSF",
    results: "FFFSF",
  },
  { name: "startup: unknown until it says something", type: "startup", probe: { failureThreshold: 2 }, answers: "FFS", results: "UFS" },
  { name: "errors teach nothing", type: "liveness", probe: { failureThreshold: 2 }, answers: "FEF", results: "SSF" },
];
test.each(runs)("afterAnswer(): $name", ({ type, probe, answers, results }) => {
  const outcomes = { S: "success", F: "failure", E: "error" } as const;
  let state = initialState(type);
  const seen = answers.split("").map((letter) => {
    state = afterAnswer(state, probe, { outcome: outcomes[letter as "S"], output: "" });
    return state.result.charAt(0).toUpperCase();
  });
  expect(seen.join("")).toBe(results);
});
