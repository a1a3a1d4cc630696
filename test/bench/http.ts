import { once } from "node:events";
import { type ClientHttp2Session, connect, constants } from "node:http2";

/** A way into an API server. PEM texts. */
export interface Access {
  readonly url: string;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface Request {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Response {
  readonly status: number;
  readonly body: Buffer;
}

const WINDOW = 1 << 24;

/** One HTTP/2 connection, with windows that never make the server wait. */
export async function openSession({ url, ca, cert, key }: Access): Promise<ClientHttp2Session> {
  const session = connect(url, { ca, cert, key, settings: { enablePush: false, initialWindowSize: WINDOW } });
  await once(session, "connect");
  session.setLocalWindowSize(1 << 30);
  return session;
}

/** The answer as chunks: large ones are not put together where only their size counts. */
export function send(
  session: ClientHttp2Session,
  { method, path, headers, body }: Request,
): Promise<{ status: number; chunks: Buffer[]; bytes: number }> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: method,
      [constants.HTTP2_HEADER_PATH]: path,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    });
    const chunks: Buffer[] = [];
    let status = 0;
    let bytes = 0;
    stream.on("response", (answer) => {
      status = answer[":status"] ?? 0;
    });
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
    });
    stream.on("end", () => resolve({ status, chunks, bytes }));
    stream.on("error", reject);
    stream.end(body);
  });
}

/** For what is not measured: waits for the whole answer, and throws when it is no success. */
export async function call(session: ClientHttp2Session, request: Request): Promise<Response> {
  const { status, chunks } = await send(session, request);
  const body = Buffer.concat(chunks);
  if (status < 200 || status > 299)
    throw new Error(`Cannot ${request.method} ${request.path}: status ${status}: ${body.toString().slice(0, 500)}`);
  return { status, body };
}

/** Creates all objects, some at a time. */
export async function createAll(session: ClientHttp2Session, path: string, objects: readonly unknown[], atOnce = 64): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let i = next++; i < objects.length; i = next++) await call(session, { method: "POST", path, body: JSON.stringify(objects[i]) });
    }),
  );
}

/** Objects in a list. */
export async function count(session: ClientHttp2Session, path: string): Promise<number> {
  const { body } = await call(session, { method: "GET", path });
  return (JSON.parse(body.toString()) as { items: unknown[] }).items.length;
}
