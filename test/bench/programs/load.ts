import type { ClientHttp2Session } from "node:http2";
import { type Access, openSession, type Request, send } from "../http.ts";
import { answerJob } from "../processes.ts";
import { spread } from "../report.ts";

export interface RequestsLoad {
  readonly do: "requests";
  readonly access: Access;
  readonly connections: number;
  /** Requests on their way at the same time, on each connection. */
  readonly streams: number;
  /** Ends after this time, or after `count` requests. */
  readonly ms: number;
  readonly count?: number;
  /** `{i}` counts requests, `{k}` is the number of an object below `objects`, `{ns}` that of its namespace. */
  readonly request: Request;
  readonly objects: number;
  readonly namespaces: number;
  /** Objects in order (creation) instead of all over the place. */
  readonly inOrder?: boolean;
  /** Follows `continue` to the end of a list: a walk over all pages counts as one request. */
  readonly pages?: boolean;
}

export interface RequestsResult {
  readonly requests: number;
  readonly ms: number;
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Share of the time in which this program, not the server, was at work. */
  readonly busy: number;
}

export interface WatchLoad {
  readonly do: "watch";
  readonly access: Access;
  readonly watch: string;
  readonly watchers: number;
  readonly watchersPerConnection: number;
  /** `{i}` is new each time, `{k}` an object below `objects`. */
  readonly write: Request;
  readonly objects: number;
  /** Written as fast as the server takes them. */
  readonly flood: number;
  /** Then these, one every `paceMs`. */
  readonly paced: number;
  readonly paceMs: number;
}

export interface WatchResult {
  readonly eventsPerSecond: number;
  readonly busy: number;
  /** From sending a write until a watcher has its event, at the pace. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

answerJob((job: RequestsLoad | WatchLoad) => (job.do === "requests" ? requests(job) : watch(job)));

async function requests(load: RequestsLoad): Promise<RequestsResult> {
  const sessions = await open(load.access, load.connections);
  const delays: number[] = [];
  let next = 0;
  let bytes = 0;
  const busy = performance.eventLoopUtilization();
  const started = performance.now();
  const until = started + load.ms;
  await Promise.all(sessions.flatMap((session) => Array.from({ length: load.streams }, () => worker(session))));
  const ms = performance.now() - started;
  const { utilization } = performance.eventLoopUtilization(busy);
  for (const session of sessions) session.destroy();
  if (delays.length === 0) throw new Error(`Cannot measure ${load.request.method} ${load.request.path}: no answer within ${load.ms} ms`);
  return { requests: delays.length, ms, bytes, ...spread(delays), busy: utilization };

  async function worker(session: ClientHttp2Session): Promise<void> {
    while (performance.now() < until) {
      const i = next++;
      if (load.count !== undefined && i >= load.count) return;
      const at = performance.now();
      await (load.pages === true ? walk(session, i) : one(session, i, ""));
      delays.push(performance.now() - at);
    }
  }

  async function one(session: ClientHttp2Session, i: number, more: string): Promise<Buffer | undefined> {
    const k = load.inOrder === true ? i % load.objects : (i * 7919) % load.objects;
    const request = filled(load.request, { i, k, ns: k % load.namespaces }, more);
    const answer = await send(session, request);
    if (answer.status < 200 || answer.status > 299)
      throw new Error(
        `${request.method} ${request.path}: status ${answer.status}: ${Buffer.concat(answer.chunks).toString().slice(0, 300)}`,
      );
    bytes += answer.bytes;
    return answer.chunks[0];
  }

  /** `metadata` stands before `items`, so the token is in the first piece. */
  async function walk(session: ClientHttp2Session, i: number): Promise<void> {
    for (let token: string | undefined = ""; token !== undefined; ) {
      const head: string = (await one(session, i, token === "" ? "" : `&continue=${token}`))?.toString("latin1", 0, 4096) ?? "";
      token = /"continue":\s?"([^"]+)"/.exec(head.slice(0, head.indexOf('"items"') + 1))?.[1];
    }
  }
}

async function watch(load: WatchLoad): Promise<WatchResult> {
  const perConnection = load.watchersPerConnection;
  const sessions = await open(load.access, Math.ceil(load.watchers / perConnection));
  const [writing] = await open(load.access, 1);
  if (writing === undefined) throw new Error("Cannot write: no connection");
  const seen = new Int32Array(load.watchers);
  const sentAt: number[] = [];
  const delays: number[] = [];
  let total = 0;
  let goal = Number.POSITIVE_INFINITY;
  let reached: () => void = () => undefined;

  await Promise.all(
    Array.from({ length: load.watchers }, (_, watcher) => {
      const session = sessions[Math.floor(watcher / perConnection)];
      if (session === undefined) throw new Error("Cannot watch: no connection");
      return follow(session, load.watch, (lines) => {
        const at = performance.now();
        for (let n = 0; n < lines; n++) {
          const index = seen[watcher] ?? 0;
          seen[watcher] = index + 1;
          const from = sentAt[index];
          if (from !== undefined) delays.push(at - from);
        }
        total += lines;
        if (total >= goal) reached();
      });
    }),
  );

  goal = load.flood * load.watchers;
  const flooded = new Promise<void>((resolve) => (reached = resolve));
  const busy = performance.eventLoopUtilization();
  const started = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: load.objects }, async (_, k) => {
      for (let i = next++; i < load.flood; i = next++) await write(i, k);
    }),
  );
  await flooded;
  const ms = performance.now() - started;
  const { utilization } = performance.eventLoopUtilization(busy);

  goal = (load.flood + load.paced) * load.watchers;
  const done = new Promise<void>((resolve) => (reached = resolve));
  for (let n = 0; n < load.paced; n++) {
    const index = load.flood + n;
    sentAt[index] = performance.now();
    await write(index, n % load.objects);
    const wait = load.paceMs - (performance.now() - (sentAt[index] ?? 0));
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }
  await done;
  for (const session of [...sessions, writing]) session.destroy();
  return { eventsPerSecond: ((load.flood * load.watchers) / ms) * 1000, busy: utilization, ...spread(delays) };

  async function write(i: number, k: number): Promise<void> {
    const request = filled(load.write, { i, k, ns: 0 }, "");
    const { status, chunks } = await send(writing as ClientHttp2Session, request);
    if (status !== 200) throw new Error(`${request.method} ${request.path}: status ${status}: ${Buffer.concat(chunks).toString()}`);
  }
}

/** Resolves when the server has begun to answer; then tells of every line. */
function follow(session: ClientHttp2Session, path: string, onLines: (lines: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "GET", ":path": path });
    stream.on("response", (headers) => {
      if (headers[":status"] === 200) resolve();
      else reject(new Error(`Cannot watch ${path}: status ${headers[":status"]}`));
    });
    stream.on("error", reject); // also when the connection is closed at the end, which nobody waits for
    stream.on("data", (chunk: Buffer) => {
      let lines = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
      if (lines > 0) onLines(lines);
    });
    stream.end();
  });
}

function open(access: Access, connections: number): Promise<ClientHttp2Session[]> {
  return Promise.all(Array.from({ length: connections }, () => openSession(access)));
}

function filled({ method, path, headers, body }: Request, numbers: { i: number; k: number; ns: number }, more: string): Request {
  const fill = (text: string) => text.replaceAll(/\{(i|k|ns)\}/g, (_, name: "i" | "k" | "ns") => String(numbers[name]));
  return {
    method,
    path: fill(path) + more,
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body: fill(body) }),
  };
}
