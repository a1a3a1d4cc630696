import type { Status } from "#machinery/api/meta-v1.ts";
import type { StatusError } from "#machinery/status.ts";
import type { Answer, Headers } from "./exchange.ts";

/** Indented JSON, as people at a terminal like it. */
export function jsonBytes(value: unknown, pretty = false): Buffer {
  return Buffer.from(pretty ? `${JSON.stringify(value, null, 2)}\n` : `${JSON.stringify(value)}\n`);
}

export function bytesAnswer(status: number, contentType: string, body: Uint8Array, headers: Headers = {}): Answer {
  return { kind: "bytes", status, headers: { "content-type": contentType, ...headers }, body };
}

export function jsonAnswer(status: number, value: unknown, headers: Headers = {}): Answer {
  return bytesAnswer(status, "application/json", jsonBytes(value), headers);
}

export function textAnswer(status: number, text: string, headers: Headers = {}): Answer {
  return bytesAnswer(status, "text/plain; charset=utf-8", Buffer.from(text), { "x-content-type-options": "nosniff", ...headers });
}

export function statusAnswer(error: StatusError): Answer {
  const retryAfter = error.status.details?.retryAfterSeconds;
  return jsonAnswer(error.status.code, error.status, retryAfter === undefined ? {} : { "retry-after": String(retryAfter) });
}

/** `{"kind":"Status",...,"status":"Success"}` about one object, as deletes answer. */
export function successStatus(details: {
  readonly name: string;
  readonly group: string;
  readonly kind: string;
  readonly uid?: string;
}): Status {
  const { name, group, kind, uid } = details;
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name, ...(group === "" ? {} : { group }), kind, ...(uid === undefined ? {} : { uid }) },
  };
}
