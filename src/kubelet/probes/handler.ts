import type { CriRuntime } from "#cri/contract.ts";
import { CriError, formatRpcError, isCriError } from "#cri/error.ts";
import type { Container, HTTPGetAction, ProbeHandler } from "#machinery/api/core-v1.ts";
import type { ProbeAnswer, Prober } from "../contract.ts";

export interface HandlerDeps {
  readonly cri: CriRuntime;
  readonly prober: Prober;
}

export interface HandlerTarget {
  readonly container: Container;
  readonly containerId: string;
  readonly podIp: string;
  readonly timeoutSeconds: number;
}

/** Carries out one probe. Never throws but for an abort. */
export async function runHandler(
  { cri, prober }: HandlerDeps,
  handler: ProbeHandler,
  { container, containerId, podIp, timeoutSeconds }: HandlerTarget,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const options = { timeoutMs: timeoutSeconds * 1000, signal };
  if (handler.exec !== undefined) return runExec(cri, handler.exec.command ?? [], containerId, timeoutSeconds, signal);
  if (handler.httpGet !== undefined) {
    const port = resolvePort(container, handler.httpGet.port);
    if (port === undefined) return error(`couldn't find port: ${JSON.stringify(handler.httpGet.port)} in container ${container.name}`);
    return prober.http(httpProbe(handler.httpGet, podIp, port), options);
  }
  if (handler.tcpSocket !== undefined) {
    const port = resolvePort(container, handler.tcpSocket.port);
    if (port === undefined) return error(`couldn't find port: ${JSON.stringify(handler.tcpSocket.port)} in container ${container.name}`);
    return prober.tcp({ host: handler.tcpSocket.host ?? podIp, port }, options);
  }
  if (handler.grpc !== undefined) {
    return prober.grpc({ host: podIp, port: handler.grpc.port, service: handler.grpc.service ?? "" }, options);
  }
  return error(`missing probe handler for container ${container.name}`);
}

export function httpProbe({ scheme = "HTTP", host, path = "/", httpHeaders = [] }: HTTPGetAction, podIp: string, port: number) {
  return { scheme, host: host === undefined || host === "" ? podIp : host, port, path, headers: httpHeaders };
}

/** A number, or the name of one of the container's ports. */
export function resolvePort(container: Container, port: number | string): number | undefined {
  if (typeof port === "number") return port;
  const named = container.ports?.find((each) => each.name === port);
  return named?.containerPort ?? (/^\d+$/.test(port) ? Number(port) : undefined);
}

async function runExec(
  cri: CriRuntime,
  cmd: readonly string[],
  containerId: string,
  timeoutSeconds: number,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  try {
    const { stdout, stderr, exitCode } = await cri.execSync({ containerId, cmd, timeoutSeconds }, { signal });
    const output = Buffer.concat([stdout, stderr]).toString();
    return { outcome: exitCode === 0 ? "success" : "failure", output };
  } catch (cause) {
    signal.throwIfAborted();
    if (isCriError(cause, "DeadlineExceeded")) {
      return { outcome: "failure", output: `command timed out: "${cmd.join(" ")}" timed out after ${timeoutSeconds}s` };
    }
    if (cause instanceof CriError) return error(formatRpcError(cause));
    throw cause;
  }
}

const error = (output: string): ProbeAnswer => ({ outcome: "error", output });
