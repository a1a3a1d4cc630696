import { describe, expect, test } from "vitest";
import { createFakeClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { DeploymentKind } from "#kinds/apps/deployment.ts";
import { NodeKind } from "#kinds/core/node.ts";
import { PodKind } from "#kinds/core/pod.ts";
import { StatusError } from "#machinery/status.ts";
import { createRestClient } from "./rest.ts";
import type { HttpRequest, HttpResponse, Transport } from "./transport.ts";
import { TransportError } from "./transport.ts";

const never = new AbortController().signal;

type Answer =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string>; readonly chunks?: readonly string[] }
  | Error;

function setup(...answers: Answer[]) {
  const sent: HttpRequest[] = [];
  const clock = createFakeClock();
  const transport: Transport = {
    async send(request): Promise<HttpResponse> {
      sent.push(request);
      const answer = answers.shift();
      if (answer === undefined) throw new Error("no more answers");
      if (answer instanceof Error) throw answer;
      const chunks = answer.chunks ?? [JSON.stringify(answer.body ?? {})];
      return { status: answer.status, headers: answer.headers ?? {}, body: bytes(chunks) };
    },
    async [Symbol.asyncDispose]() {},
  };
  const client = createRestClient({ server: "https://x", credentials: () => ({}), clock, log: silentLog, userAgent: "test", transport });
  return { client, sent, clock };
}

async function* bytes(chunks: readonly string[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

const statusBody = (code: number, reason: string, message: string) => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  code,
  reason,
  message,
});

describe("createRestClient()", () => {
  test.each([
    [
      "core, namespaced",
      () => setup({ status: 200 }),
      (c: ReturnType<typeof setup>) => c.client.get(PodKind, { name: "a", namespace: "default" }, never),
      "GET /api/v1/namespaces/default/pods/a",
    ],
    [
      "cluster",
      () => setup({ status: 200 }),
      (c: ReturnType<typeof setup>) => c.client.get(NodeKind, { name: "n1", namespace: undefined }, never),
      "GET /api/v1/nodes/n1",
    ],
    [
      "group, all namespaces",
      () => setup({ status: 200 }),
      (c: ReturnType<typeof setup>) => c.client.list(DeploymentKind, { labelSelector: "a=b", limit: 5 }, never),
      "GET /apis/apps/v1/deployments?labelSelector=a%3Db&limit=5",
    ],
    [
      "apply",
      () => setup({ status: 200 }),
      (c: ReturnType<typeof setup>) =>
        c.client.patch(
          PodKind,
          { name: "a", namespace: "d" },
          { type: "apply", body: {}, fieldManager: "m", force: true },
          { subresource: "status" },
          never,
        ),
      "PATCH /api/v1/namespaces/d/pods/a/status?fieldManager=m&force=true",
    ],
  ] as const)("addresses %s", async (_name, make, act, expected) => {
    const context = make();
    await act(context);
    expect(`${context.sent[0]?.method} ${context.sent[0]?.path}`).toBe(expected);
  });

  test("turns a Status body into a StatusError", async () => {
    const { client } = setup({ status: 404, body: statusBody(404, "NotFound", 'pods "a" not found') });
    const failure = await client.get(PodKind, { name: "a", namespace: "d" }, never).catch((cause: unknown) => cause);
    expect(failure).toBeInstanceOf(StatusError);
    expect((failure as StatusError).status).toMatchObject({ code: 404, reason: "NotFound", message: 'pods "a" not found' });
  });

  test("waits as 429 asks, also for a POST, and gives up after 5 retries", async () => {
    const busy = { status: 429, headers: { "retry-after": "2" }, body: statusBody(429, "TooManyRequests", "busy") };
    const { client, sent, clock } = setup(busy, { status: 201, body: { metadata: { name: "a" } } });
    const creating = client.create(
      PodKind,
      { apiVersion: "v1", kind: "Pod", metadata: { name: "a", namespace: "d" }, spec: { containers: [] } },
      never,
    );
    await clock.advance(1999);
    expect(sent).toHaveLength(1);
    await clock.advance(1);
    await creating;
    expect(sent).toHaveLength(2);

    const always = setup(...Array.from({ length: 10 }, () => busy));
    const failing = always.client.get(PodKind, { name: "a", namespace: "d" }, never).catch((cause: unknown) => cause);
    await always.clock.advance(60_000);
    expect(await failing).toBeInstanceOf(StatusError);
    expect(always.sent).toHaveLength(6);
  });

  test("repeats a GET on a broken connection, but not a POST that may have arrived", async () => {
    const broken = new TransportError("broken", false);
    const reading = setup(broken, { status: 200, body: {} });
    const got = reading.client.get(PodKind, { name: "a", namespace: "d" }, never);
    await reading.clock.advance(1000);
    await got;
    expect(reading.sent).toHaveLength(2);
    const writing = setup(broken, { status: 201 });
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "a", namespace: "d" }, spec: { containers: [] } } as const;
    await expect(writing.client.create(PodKind, pod, never)).rejects.toThrow("broken");
    const unsent = setup(new TransportError("refused stream", true), { status: 201, body: {} });
    const created = unsent.client.create(PodKind, pod, never);
    await unsent.clock.advance(1000);
    await created;
  });

  test("reads watch events over chunk borders and throws ERROR events", async () => {
    const event = (type: string, object: unknown) => `${JSON.stringify({ type, object })}\n`;
    const added = event("ADDED", { metadata: { name: "ä", resourceVersion: "5" } });
    const stream =
      added + event("BOOKMARK", { metadata: { resourceVersion: "9" } }) + event("ERROR", statusBody(410, "Expired", "too old"));
    const { client } = setup({ status: 200, chunks: [stream.slice(0, 20), stream.slice(20, 90), stream.slice(90)] });
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const next of client.watch(PodKind, {}, never)) seen.push(next);
    })();
    await expect(reading).rejects.toMatchObject({ status: { reason: "Expired", code: 410 } });
    expect(seen).toEqual([
      { type: "ADDED", object: { metadata: { name: "ä", resourceVersion: "5" } } },
      { type: "BOOKMARK", resourceVersion: "9", initialEventsEnd: false },
    ]);
  });

  test("sends the uid as a precondition of patches and deletes", async () => {
    const { client, sent } = setup({ status: 200 }, { status: 200 });
    const ref = { name: "a", namespace: "d", uid: "u1" };
    await client.patch(PodKind, ref, { type: "merge", body: { metadata: { labels: { x: "y" } } } }, {}, never);
    await client.delete(PodKind, ref, { gracePeriodSeconds: 0 }, never);
    expect(JSON.parse(sent[0]?.body ?? "")).toEqual({ metadata: { labels: { x: "y" }, uid: "u1" } });
    expect(JSON.parse(sent[1]?.body ?? "")).toEqual({
      apiVersion: "v1",
      kind: "DeleteOptions",
      gracePeriodSeconds: 0,
      preconditions: { uid: "u1" },
    });
  });
});
