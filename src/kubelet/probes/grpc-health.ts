import { Client, credentials, Metadata, type ServiceError, status as grpcStatus } from "@grpc/grpc-js";
import protobuf from "protobufjs";
import type { ProbeAnswer } from "../contract.ts";

const SERVING = 1;
const STATUS_NAMES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** One call of grpc.health.v1.Health/Check: https://github.com/grpc/grpc/blob/master/doc/health-checking.md */
export async function checkGrpcHealth(
  { host, port, service }: { readonly host: string; readonly port: number; readonly service: string },
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<ProbeAnswer> {
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  const client = new Client(`dns:${address}`, credentials.createInsecure(), {
    "grpc.enable_http_proxy": 0,
    "grpc.primary_user_agent": "kube-probe/1.36",
  });
  try {
    return await new Promise((resolve) => {
      const call = client.makeUnaryRequest(
        "/grpc.health.v1.Health/Check",
        encodeRequest,
        decodeStatus,
        service,
        new Metadata(),
        { deadline: Date.now() + timeoutMs },
        (cause, status) => {
          signal.removeEventListener("abort", cancel);
          resolve(cause === null ? judge(status ?? 0) : explain(cause, address, timeoutMs));
        },
      );
      signal.addEventListener("abort", cancel, { once: true });
      function cancel() {
        call.cancel();
      }
    });
  } finally {
    client.close();
  }
}

function encodeRequest(service: string): Buffer {
  return Buffer.from(service === "" ? [] : protobuf.Writer.create().uint32(10).string(service).finish());
}

/** Field 1, the serving status; absent is 0. */
function decodeStatus(bytes: Buffer): number {
  const reader = protobuf.Reader.create(bytes);
  let status = 0;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 8) status = reader.int32();
    else reader.skipType(tag & 7);
  }
  return status;
}

function judge(status: number): ProbeAnswer {
  if (status === SERVING) return { outcome: "success", output: "service healthy" };
  return { outcome: "failure", output: `service unhealthy (responded with "${STATUS_NAMES[status] ?? status}")` };
}

function explain({ code, details }: ServiceError, address: string, timeoutMs: number): ProbeAnswer {
  const limit = `${timeoutMs / 1000}s`;
  const output =
    code === grpcStatus.UNIMPLEMENTED
      ? `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${details}`
      : code === grpcStatus.DEADLINE_EXCEEDED
        ? `timeout: health rpc did not complete within ${limit}`
        : code === grpcStatus.UNAVAILABLE
          ? `timeout: failed to connect service "${address}" within ${limit}: ${details}`
          : `error: health rpc probe failed: rpc error: code = ${code} desc = ${details}`;
  return { outcome: "failure", output };
}
