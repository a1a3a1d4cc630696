import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type { HttpProbe, ProbeAnswer, Prober } from "../contract.ts";
import { linkSignals } from "../linked-signal.ts";
import { checkGrpcHealth } from "./grpc-health.ts";

const MAX_BODY_BYTES = 10 * 1024;
const MAX_REDIRECTS = 10;

/** Probes over this process's network: the node's network namespace reaches all its pods. Certificates are not checked. */
export const networkProber: Prober = {
  async http(probe, { timeoutMs, signal }) {
    using link = linkSignals(signal, AbortSignal.timeout(timeoutMs));
    const limit = link.signal;
    let href = `${probe.scheme.toLowerCase()}://${address(probe.host, probe.port)}${probe.path}`;
    try {
      const url = urlOf(probe);
      href = url.href;
      return await get(url, probe, limit, 0);
    } catch (cause) {
      signal.throwIfAborted();
      if (limit.aborted) {
        return failure(`Get "${href}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`);
      }
      return failure(`Get "${href}": ${dialError(cause, probe.host, probe.port)}`);
    }
  },
  grpc: checkGrpcHealth,
  async tcp({ host, port }, { timeoutMs, signal }) {
    using link = linkSignals(signal, AbortSignal.timeout(timeoutMs));
    const limit = link.signal;
    try {
      await new Promise<void>((resolve, reject) => {
        const socket = connect({ host, port, signal: limit });
        socket.once("connect", () => {
          socket.destroy();
          resolve();
        });
        socket.once("error", reject);
      });
      return { outcome: "success", output: "" };
    } catch (cause) {
      signal.throwIfAborted();
      return failure(limit.aborted ? `dial tcp ${address(host, port)}: i/o timeout` : dialError(cause, host, port));
    }
  },
};

async function get(url: URL, probe: HttpProbe, signal: AbortSignal, redirects: number): Promise<ProbeAnswer> {
  const headers: Record<string, string> = { "User-Agent": "kube-probe/1.36", Accept: "*/*", Connection: "close" };
  for (const { name, value } of probe.headers) {
    const known = Object.keys(headers).find((each) => each.toLowerCase() === name.toLowerCase());
    headers[known ?? name] = value;
  }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request =
      url.protocol === "https:"
        ? httpsRequest(url, { headers, signal, agent: false, rejectUnauthorized: false }, resolve)
        : httpRequest(url, { headers, signal, agent: false }, resolve);
    request.on("error", reject);
    request.end();
  });
  const body = await readBody(response);
  const status = response.statusCode ?? 0;
  const { location } = response.headers;
  if (status >= 301 && status <= 308 && location !== undefined) {
    const next = new URL(location, url);
    if (next.hostname !== url.hostname) return { outcome: "warning", output: `Probe terminated redirects, Response body: ${body}` };
    if (redirects === MAX_REDIRECTS) return failure(`Get "${next.href}": stopped after ${MAX_REDIRECTS} redirects`);
    return get(next, probe, signal, redirects + 1);
  }
  if (status >= 200 && status < 400) return { outcome: "success", output: body };
  return failure(`HTTP probe failed with statuscode: ${status}`);
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= MAX_BODY_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString();
}

function urlOf({ scheme, host, port, path }: HttpProbe): URL {
  return new URL(`${scheme.toLowerCase()}://${address(host, port)}${path.startsWith("/") ? path : `/${path}`}`);
}

const address = (host: string, port: number) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);

const failure = (output: string): ProbeAnswer => ({ outcome: "failure", output });

/** Node's error codes in Go's words. */
const DIAL_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  ECONNRESET: "read: connection reset by peer",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "connect: connection timed out",
};

function dialError(cause: unknown, host: string, port: number): string {
  const code = cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "";
  const known = DIAL_ERRORS[code];
  if (known === undefined) return cause instanceof Error ? cause.message : String(cause);
  return `dial tcp ${address(host, port)}: ${known}`;
}
