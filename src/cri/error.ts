/** What became of a call, by gRPC's canonical codes; the rest is "Unknown". */
export type CriErrorCode =
  | "Cancelled"
  | "InvalidArgument"
  | "DeadlineExceeded"
  | "NotFound"
  | "AlreadyExists"
  | "FailedPrecondition"
  | "ResourceExhausted"
  | "Unimplemented"
  | "Unavailable"
  | "Unknown";

/** A runtime's refusal or failure. `details` is the runtime's own text, as upstream shows it to users. */
export class CriError extends Error {
  override readonly name = "CriError";
  readonly code: CriErrorCode;
  readonly call: string;
  readonly details: string;
  constructor({ code, call, details }: { code: CriErrorCode; call: string; details: string }, options?: ErrorOptions) {
    super(`Cannot call ${call} of the container runtime: ${code}: ${details}`, options);
    this.code = code;
    this.call = call;
    this.details = details;
  }
}

/** Numbers of https://grpc.io/docs/guides/status-codes/. */
const CODES: Readonly<Record<number, CriErrorCode>> = {
  1: "Cancelled",
  3: "InvalidArgument",
  4: "DeadlineExceeded",
  5: "NotFound",
  6: "AlreadyExists",
  8: "ResourceExhausted",
  9: "FailedPrecondition",
  12: "Unimplemented",
  14: "Unavailable",
};

/** The one place that reads foreign gRPC failures. */
export function classifyCriError(cause: unknown, call: string): CriError {
  if (cause instanceof CriError) return cause;
  const number = cause instanceof Error && "code" in cause && typeof cause.code === "number" ? cause.code : undefined;
  const details =
    cause instanceof Error && "details" in cause && typeof cause.details === "string"
      ? cause.details
      : cause instanceof Error
        ? cause.message
        : String(cause);
  return new CriError({ code: (number === undefined ? undefined : CODES[number]) ?? "Unknown", call, details }, { cause });
}

export function isCriError(cause: unknown, ...codes: readonly CriErrorCode[]): cause is CriError {
  return cause instanceof CriError && codes.includes(cause.code);
}

/** The code as upstream's messages print it: `rpc error: code = NotFound desc = ...`. */
export function formatRpcError(error: CriError): string {
  return `rpc error: code = ${error.code === "Cancelled" ? "Canceled" : error.code} desc = ${error.details}`;
}
