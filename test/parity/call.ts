import { Agent, request } from "node:https";
import type { TestServer } from "#apiserver/testing.ts";

export interface Called {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: unknown;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Credentials; an administrator unless said otherwise. */
  readonly as?: { readonly certPem: string; readonly keyPem: string } | { readonly token: string } | "nobody";
}

export interface Caller extends Disposable {
  (method: string, path: string, options?: CallOptions): Promise<Called>;
}

/** Calls a test server as a client would: over TLS, text in, text out. A body that is no string is sent as JSON. */
export function callerOf(server: TestServer): Caller {
  const agents = new Map<string, Agent>();
  const call = (method: string, path: string, { body, headers = {}, as = server.admin }: CallOptions = {}): Promise<Called> => {
    const payload = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
    const certificate = as !== "nobody" && "certPem" in as ? { cert: as.certPem, key: as.keyPem } : {};
    const key = certificate.cert ?? "";
    const agent = agents.get(key) ?? new Agent({ keepAlive: true, ca: server.ca.certPem, ...certificate });
    agents.set(key, agent);
    return new Promise((resolve, reject) => {
      const sent = request(
        new URL(path, server.url),
        {
          method,
          agent,
          headers: {
            ...(payload === undefined ? {} : { "content-type": "application/json", "content-length": String(Buffer.byteLength(payload)) }),
            ...(as !== "nobody" && "token" in as ? { authorization: `Bearer ${as.token}` } : {}),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString();
            const json = (response.headers["content-type"] ?? "").startsWith("application/json") && !text.includes("\n{");
            resolve({
              code: response.statusCode ?? 0,
              headers: response.headers,
              text,
              body: json && text !== "" ? JSON.parse(text) : undefined,
            });
          });
        },
      );
      sent.on("error", reject);
      sent.end(payload);
    });
  };
  return Object.assign(call, {
    [Symbol.dispose]() {
      for (const agent of agents.values()) agent.destroy();
    },
  });
}

/** A Status as it is answered. */
export function failure(code: number, reason: string, message: string, details?: object): object {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    code,
    ...(details === undefined ? {} : { details }),
  };
}
