import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { apiVersionOf, type KindRef } from "#kinds/kind.ts";
import type { Status } from "#machinery/api/meta-v1.ts";
import type { KubeObject, ObjectRef, Stored } from "#machinery/object.ts";
import { StatusError } from "#machinery/status.ts";
import type { Client, ListOptions, ListResult, Patch, WatchEvent } from "./contract.ts";
import {
  createHttp2Transport,
  type Credentials,
  type HttpRequest,
  type HttpResponse,
  type Transport,
  TransportError,
} from "./transport.ts";

export interface RestClientDeps {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** Called for every request, so that rotated certificates and tokens take effect; must be cheap. */
  readonly credentials: () => Credentials;
  readonly clock: Clock;
  readonly log: Log;
  readonly userAgent: string;
  /** Limit of one call (watches have none). @default 60_000 */
  readonly timeoutMs?: number;
  /** Tests and in-process servers bring their own. @default HTTP/2 over TLS */
  readonly transport?: Transport;
}

/** Attempts after the first where the server asks for patience or the connection broke. */
const MAX_RETRIES = 5;
const MAX_RETRY_AFTER_MS = 30_000;

/**
 * The REST client.
 *
 * 429, and 5xx with Retry-After, are tried again as the server asks, at most 5 times; so is a broken connection where the request
 * is safe to repeat (reads, or certainly not received). Everything else is the caller's to decide.
 */
export function createRestClient(deps: RestClientDeps): Client & AsyncDisposable {
  const { server, credentials, clock, log, userAgent, timeoutMs = 60_000 } = deps;
  const transport = deps.transport ?? createHttp2Transport({ credentials, log }, { server });
  const common = { "user-agent": userAgent, accept: "application/json" };

  return {
    get: (kind, ref, signal) => call({ method: "GET", path: objectPath(kind, ref) }, signal),

    async list<T extends KubeObject>(kind: KindRef<T>, options: ListOptions, signal: AbortSignal): Promise<ListResult<T>> {
      const path = collectionPath(kind, options.namespace) + query(listParameters(options));
      const body = await call<{
        readonly items?: readonly Stored<T>[];
        readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
      }>({ method: "GET", path }, signal);
      const identity = { apiVersion: apiVersionOf(kind), kind: kind.kind };
      return {
        items: (body.items ?? []).map((item) => (item.kind === undefined ? { ...identity, ...item } : item)), // upstream omits both in lists
        resourceVersion: body.metadata?.resourceVersion ?? "",
        continue: body.metadata?.continue === "" ? undefined : body.metadata?.continue,
      };
    },

    create: (kind, object, signal) =>
      call({ method: "POST", path: collectionPath(kind, object.metadata.namespace), ...json(object) }, signal),

    update: (kind, object, signal) => call({ method: "PUT", path: pathOf(kind, object), ...json(object) }, signal),

    updateStatus: (kind, object, signal) => call({ method: "PUT", path: `${pathOf(kind, object)}/status`, ...json(object) }, signal),

    patch(kind, ref, patch, { subresource }, signal) {
      const parameters = patch.type === "apply" ? { fieldManager: patch.fieldManager, force: String(patch.force) } : {};
      const path = objectPath(kind, ref) + (subresource === undefined ? "" : `/${subresource}`) + query(parameters);
      const body = JSON.stringify(withUidPrecondition(patch, ref));
      return call({ method: "PATCH", path, headers: { "content-type": PATCH_TYPES[patch.type] }, body }, signal);
    },

    async delete(kind, ref, options, signal) {
      const { gracePeriodSeconds, propagationPolicy, resourceVersion } = options;
      const preconditions = {
        ...(ref.uid === undefined ? {} : { uid: ref.uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      };
      await call(
        {
          method: "DELETE",
          path: objectPath(kind, ref),
          ...json({
            apiVersion: "v1",
            kind: "DeleteOptions",
            ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
            ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
            ...(Object.keys(preconditions).length === 0 ? {} : { preconditions }),
          }),
        },
        signal,
      );
    },

    createSubresource: (kind, ref, subresource, body, signal) =>
      call({ method: "POST", path: `${objectPath(kind, ref)}/${subresource}`, ...json(body) }, signal),

    updateSubresource: (kind, object, subresource, signal) =>
      call({ method: "PUT", path: `${pathOf(kind, object)}/${subresource}`, ...json(object) }, signal),

    watch,

    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };

  async function* watch<T extends KubeObject>(
    kind: KindRef<T>,
    options: ListOptions & { readonly sendInitialEvents?: boolean; readonly timeoutSeconds?: number },
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    const { sendInitialEvents, timeoutSeconds } = options;
    const path =
      collectionPath(kind, options.namespace) +
      query({
        ...listParameters(options),
        watch: "true",
        allowWatchBookmarks: "true",
        ...(sendInitialEvents === undefined
          ? {}
          : { sendInitialEvents: String(sendInitialEvents), ...(sendInitialEvents ? { resourceVersionMatch: "NotOlderThan" } : {}) }),
        ...(timeoutSeconds === undefined ? {} : { timeoutSeconds: String(timeoutSeconds) }),
      });
    const response = await attempt({ method: "GET", path }, "stream", signal);
    for await (const line of linesOf(response.body)) {
      const event = parseJson(line, `a watch event of ${kind.plural}`) as RawEvent<T>;
      if (event.type === "ERROR") throw statusError(event.object, 500);
      if (event.type === "BOOKMARK") {
        const { resourceVersion, annotations } = event.object.metadata;
        yield { type: "BOOKMARK", resourceVersion, initialEventsEnd: annotations?.["k8s.io/initial-events-end"] === "true" };
      } else yield { type: event.type, object: event.object };
    }
  }

  /** One answered call: the parsed body of a success; rejects with StatusError otherwise. */
  async function call<R>(request: HttpRequest, signal: AbortSignal): Promise<R> {
    const limit = new AbortController();
    const expire = () =>
      limit.abort(new TransportError(`Cannot ${request.method} ${server}${request.path}: no answer in ${timeoutMs} ms`, false));
    const timer = setTimeout(expire, timeoutMs);
    const forward = () => limit.abort(signal.reason);
    if (signal.aborted) forward();
    else signal.addEventListener("abort", forward, { once: true });
    try {
      const response = await attempt(request, "call", limit.signal);
      const body = await readAll(response.body);
      return (body.length === 0 ? undefined : parseJson(body.toString(), `the answer to ${request.method} ${request.path}`)) as R;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", forward);
    }
  }

  /** A successful response; failures are retried as the rule above says. */
  async function attempt(request: HttpRequest, lane: "call" | "stream", signal: AbortSignal): Promise<HttpResponse> {
    for (let retries = 0; ; retries++) {
      const outcome = await once(request, lane, signal);
      if (outcome.ok) return outcome.response;
      if (outcome.retryAfterMs === undefined || retries >= MAX_RETRIES) throw outcome.cause;
      log.debug("Request is tried again", {
        method: request.method,
        path: request.path,
        afterMs: outcome.retryAfterMs,
        cause: outcome.cause,
      });
      await clock.sleep(Math.min(outcome.retryAfterMs, MAX_RETRY_AFTER_MS), signal);
      signal.throwIfAborted();
    }
  }

  async function once(
    request: HttpRequest,
    lane: "call" | "stream",
    signal: AbortSignal,
  ): Promise<
    { readonly ok: true; readonly response: HttpResponse } | { readonly ok: false; readonly cause: unknown; readonly retryAfterMs?: number }
  > {
    let response: HttpResponse;
    try {
      response = await transport.send({ ...request, headers: { ...common, ...request.headers } }, lane, signal);
    } catch (cause) {
      signal.throwIfAborted();
      const repeatable =
        cause instanceof TransportError && !(cause.cause instanceof Error && "code" in cause.cause && cause.cause.code === "ECONNREFUSED");
      const safe = cause instanceof TransportError && (cause.unsent || request.method === "GET");
      return { ok: false, cause, ...(repeatable && safe ? { retryAfterMs: 100 } : {}) };
    }
    if (response.status >= 200 && response.status < 300) return { ok: true, response };
    const cause = await failureOf(response);
    const header = response.headers["retry-after"];
    const asked = typeof header === "string" && /^\d+$/.test(header) ? Number(header) * 1000 : undefined;
    const patience = response.status === 429 ? (asked ?? 1000) : response.status >= 500 ? asked : undefined;
    const repeatable = response.status === 429 || request.method !== "POST";
    return { ok: false, cause, ...(patience !== undefined && repeatable ? { retryAfterMs: patience } : {}) };
  }
}

type RawEvent<T extends KubeObject> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: Stored<T> }
  | {
      readonly type: "BOOKMARK";
      readonly object: { readonly metadata: { readonly resourceVersion: string; readonly annotations?: Readonly<Record<string, string>> } };
    }
  | { readonly type: "ERROR"; readonly object: Status };

const PATCH_TYPES: Readonly<Record<Patch["type"], string>> = {
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
  apply: "application/apply-patch+yaml",
};

/** The path of a collection: `/api/v1/namespaces/default/pods`. */
export function collectionPath(kind: KindRef, namespace: string | undefined): string {
  const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const within = kind.scope === "Namespaced" && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${root}${within}/${kind.plural}`;
}

/** The path of one object. */
export function objectPath(kind: KindRef, ref: ObjectRef): string {
  if (ref.name === "") throw new Error(`Cannot address ${kind.kind}: it has no name, wanted one`);
  return `${collectionPath(kind, ref.namespace)}/${encodeURIComponent(ref.name)}`;
}

function pathOf(kind: KindRef, object: KubeObject): string {
  return objectPath(kind, { name: object.metadata.name ?? "", namespace: object.metadata.namespace });
}

function listParameters(options: ListOptions): Record<string, string> {
  const { labelSelector, fieldSelector, limit, resourceVersion } = options;
  return {
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
    ...(limit === undefined ? {} : { limit: String(limit) }),
    ...(options.continue === undefined ? {} : { continue: options.continue }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

function query(parameters: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(parameters).toString();
  return text === "" ? "" : `?${text}`;
}

function json(body: unknown): { headers: Record<string, string>; body: string } {
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

/** The server rejects a patch that would change the uid: sending it makes the patch hit this very object or nothing. */
function withUidPrecondition(patch: Patch, ref: ObjectRef): unknown {
  if (ref.uid === undefined) return patch.body;
  if (patch.type === "json") return [{ op: "test", path: "/metadata/uid", value: ref.uid }, ...patch.body];
  if (typeof patch.body !== "object" || patch.body === null) return patch.body;
  const metadata = "metadata" in patch.body && typeof patch.body.metadata === "object" ? patch.body.metadata : {};
  return { ...patch.body, metadata: { ...metadata, uid: ref.uid } };
}

async function failureOf(response: HttpResponse): Promise<StatusError> {
  const body = (await readAll(response.body)).toString();
  let status: unknown;
  try {
    status = JSON.parse(body);
  } catch (cause) {
    return new StatusError(
      { code: response.status, reason: "", message: body.slice(0, 500) || `HTTP status ${response.status}` },
      { cause },
    );
  }
  return statusError(status, response.status);
}

function statusError(status: unknown, code: number): StatusError {
  if (typeof status !== "object" || status === null) return new StatusError({ code, reason: "", message: `HTTP status ${code}` });
  const { reason = "", message = "", details, code: own } = status as Status;
  return new StatusError({ code: own ?? code, reason, message, ...(details === undefined ? {} : { details }) });
}

async function readAll(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

/** Lines of a byte stream, without their ends; an unfinished last line is dropped (the connection broke inside an event). */
async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const rest = chunk.subarray(start, end);
      const line = parts.length === 0 ? rest : Buffer.concat([...parts, rest]);
      parts = [];
      start = end + 1;
      if (line.length > 0) yield line.toString();
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TransportError(`Cannot read ${what}: it is not JSON`, false, { cause });
  }
}
