import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "#base/log.ts";
import { type Ca, type Certificate, createCa, issueCertificate } from "#pki/certificate.ts";
import { createHttp2Transport, type Credentials, type HttpResponse, type Transport } from "./transport.ts";

const never = new AbortController().signal;
let ca: Ca;
let serving: Certificate;
let users: readonly Certificate[];
let server: Http2SecureServer;
let sessions: Set<ServerHttp2Session>;
let port = 0;
let transport: Transport;
let current: Credentials;

beforeAll(async () => {
  const now = Date.now();
  ca = await createCa({ cn: "test", days: 1, now });
  serving = await issueCertificate({ ca, cn: "server", sans: ["127.0.0.1"], usages: ["server"], days: 1, now });
  users = await Promise.all(["jane", "john"].map((cn) => issueCertificate({ ca, cn, usages: ["client"], days: 1, now })));
});

async function listen(at: number): Promise<void> {
  server = createSecureServer({
    cert: serving.certPem,
    key: serving.keyPem,
    ca: ca.certPem,
    requestCert: true,
    rejectUnauthorized: false,
    settings: { maxConcurrentStreams: 4 },
  });
  sessions = new Set();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => undefined); // the test cuts connections
    const user = (stream.session?.socket as TLSSocket | undefined)?.getPeerCertificate().subject?.CN;
    let body = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      body += chunk;
    });
    stream.on("end", () => {
      if (headers[":path"] === "/hang") return;
      stream.respond({ ":status": 200 });
      if (headers[":path"] === "/watch") stream.write("first\n");
      else stream.end(JSON.stringify({ method: headers[":method"], path: headers[":path"], body, user, token: headers.authorization }));
    });
  });
  await new Promise<void>((resolve) => server.listen(at, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
}

async function shut(): Promise<void> {
  for (const session of sessions) session.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

beforeEach(async () => {
  await listen(0);
  current = { ca: ca.certPem, cert: users[0]?.certPem ?? "", key: users[0]?.keyPem ?? "" };
  transport = createHttp2Transport({ credentials: () => current, log: silentLog }, { server: `https://127.0.0.1:${port}` });
});
afterEach(async () => {
  await transport[Symbol.asyncDispose]();
  await shut();
});

async function read({ body }: HttpResponse): Promise<Record<string, unknown>> {
  let text = "";
  for await (const chunk of body) text += chunk.toString();
  return JSON.parse(text) as Record<string, unknown>;
}
const get = async (path = "/") => read(await transport.send({ method: "GET", path }, "call", never));

describe("createHttp2Transport()", () => {
  test("carries method, path, body and user, also of a DELETE", async () => {
    expect(await read(await transport.send({ method: "DELETE", path: "/x?y=z", body: "body" }, "call", never))).toEqual({
      method: "DELETE",
      path: "/x?y=z",
      body: "body",
      user: "jane",
    });
  });

  test("many calls share one connection, and more streams than it may carry open another", async () => {
    await Promise.all(Array.from({ length: 3 }, () => get()));
    expect(sessions.size).toBe(1);
    const abort = new AbortController();
    const watches = await Promise.all(
      Array.from({ length: 10 }, () => transport.send({ method: "GET", path: "/watch" }, "stream", abort.signal)),
    );
    expect(watches.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    abort.abort();
  });

  test("new credentials are used for new requests; running streams go on", async () => {
    const watch = await transport.send({ method: "GET", path: "/watch" }, "stream", never);
    const lines = watch.body[Symbol.asyncIterator]();
    expect((await lines.next()).value?.toString()).toBe("first\n");
    expect((await get()).user).toBe("jane");
    current = { ca: ca.certPem, cert: users[1]?.certPem ?? "", key: users[1]?.keyPem ?? "" };
    expect((await get()).user).toBe("john");
    const next = lines.next();
    const winner = await Promise.race([next.then(() => "ended"), get().then(() => "still open")]);
    expect(winner).toBe("still open");
    await shut();
    await expect(next).rejects.toThrow("Cannot GET");
    await listen(port);
  });

  test("tokens are read for every request", async () => {
    current = { ca: ca.certPem, token: "one" };
    expect((await get()).token).toBe("Bearer one");
    current = { ca: ca.certPem, token: "two" };
    expect((await get()).token).toBe("Bearer two");
  });

  test("a server that comes back is found again", async () => {
    await get();
    const at = port;
    await shut();
    await expect(get()).rejects.toMatchObject({ name: "TransportError" });
    await listen(at);
    expect((await get()).user).toBe("jane");
  });

  test("an abort rejects with its reason and cancels the request", async () => {
    const abort = new AbortController();
    const hanging = transport.send({ method: "GET", path: "/hang" }, "call", abort.signal);
    setImmediate(() => abort.abort(new Error("enough")));
    await expect(hanging).rejects.toThrow("enough");
  });

  test("a server with another authority is refused", async () => {
    const other = await createCa({ cn: "other", days: 1, now: Date.now() });
    current = { ca: other.certPem };
    await expect(get()).rejects.toMatchObject({ name: "TransportError", unsent: true });
  });
});
