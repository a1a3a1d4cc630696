import type { ListMeta, Status, StatusCause } from "#machinery/api/meta-v1.ts";
import { FIELD_CAUSE, type FieldError, fieldErrorBody, formatFieldError } from "./field-error.ts";

/** A resource as error texts name it: `pods`, `deployments.apps`. */
export interface ResourceName {
  readonly group: string;
  readonly plural: string;
}
export interface KindName {
  readonly group: string;
  readonly kind: string;
}

/** An answer to an API client: reason, code and exact upstream text. Thrown by the server's stages and by the client. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly status: Status & { readonly code: number; readonly reason: string };
  constructor(
    status: Omit<Status, "apiVersion" | "kind" | "status" | "metadata"> & {
      readonly code: number;
      readonly reason: string;
      readonly metadata?: ListMeta;
    },
    options?: ErrorOptions,
  ) {
    super(status.message, options);
    this.status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", ...status };
  }
}

/** Whether `cause` is a StatusError with one of these reasons. */
export function hasReason(cause: unknown, ...reasons: readonly StatusReason[]): cause is StatusError {
  return cause instanceof StatusError && (reasons as readonly string[]).includes(cause.status.reason);
}

export type StatusReason = keyof typeof STATUS_CODES;

/** Every reason this API answers with, and its HTTP code. */
export const STATUS_CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  Gone: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;

export const notFound = (resource: ResourceName, name: string) =>
  about("NotFound", resource, name, `${qualified(resource)} "${name}" not found`);

export const alreadyExists = (resource: ResourceName, name: string) =>
  about("AlreadyExists", resource, name, `${qualified(resource)} "${name}" already exists`);

export const conflict = (resource: ResourceName, name: string, why: string) =>
  about("Conflict", resource, name, `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`);

/** The object changed between read and write. */
export const modifiedConflict = (resource: ResourceName, name: string) =>
  conflict(resource, name, "the object has been modified; please apply your changes to the latest version and try again");

export const forbidden = (resource: ResourceName, name: string, why: string) =>
  about(
    "Forbidden",
    resource,
    name,
    name === "" ? `${qualified(resource)} is forbidden: ${why}` : `${qualified(resource)} "${name}" is forbidden: ${why}`,
  );

export function invalid(kind: KindName, name: string, errors: readonly FieldError[]): StatusError {
  const texts = [...new Set(errors.map(formatFieldError))];
  const text = texts.length === 1 ? (texts[0] ?? "") : `[${texts.join(", ")}]`;
  const full = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
  const causes: StatusCause[] = errors.map((e) => ({ reason: FIELD_CAUSE[e.type], message: fieldErrorBody(e), field: e.field }));
  return new StatusError({
    reason: "Invalid",
    code: 422,
    message: `${full} "${name}" is invalid: ${text}`,
    details: { ...(name === "" ? {} : { name }), ...(kind.group === "" ? {} : { group: kind.group }), kind: kind.kind, causes },
  });
}

export const badRequest = (message: string) => plain("BadRequest", message);
export const unauthorized = () => plain("Unauthorized", "Unauthorized");
export const expired = (message: string) => plain("Expired", message);
export const unsupportedMediaType = (message: string) => plain("UnsupportedMediaType", message);
export const notAcceptable = (message: string) => plain("NotAcceptable", message);
export const tooLarge = (message: string) => plain("RequestEntityTooLarge", message);
export const serviceUnavailable = (message: string) => plain("ServiceUnavailable", message);

export const internalError = (cause: unknown) =>
  new StatusError(
    {
      reason: "InternalError",
      code: 500,
      message: `Internal error occurred: ${cause instanceof Error ? cause.message : String(cause)}`,
      details: { causes: [{ message: cause instanceof Error ? cause.message : String(cause) }] },
    },
    { cause },
  );

export const methodNotAllowed = () => plain("MethodNotAllowed", "the server does not allow this method on the requested resource");

/** No handler for this path. */
export const pathNotFound = () =>
  new StatusError({ reason: "NotFound", code: 404, message: "the server could not find the requested resource", details: {} });

export const timeout = (message: string, retryAfterSeconds?: number) =>
  new StatusError({ reason: "Timeout", code: 504, message: `Timeout: ${message}`, ...retry(retryAfterSeconds) });

export const tooManyRequests = (message: string, retryAfterSeconds: number) =>
  new StatusError({ reason: "TooManyRequests", code: 429, message, ...retry(retryAfterSeconds) });

function retry(retryAfterSeconds: number | undefined): { details?: { retryAfterSeconds: number } } {
  return retryAfterSeconds === undefined ? {} : { details: { retryAfterSeconds } };
}

function plain(reason: StatusReason, message: string): StatusError {
  return new StatusError({ reason, code: STATUS_CODES[reason], message });
}

function about(reason: StatusReason, resource: ResourceName, name: string, message: string): StatusError {
  return new StatusError({
    reason,
    code: STATUS_CODES[reason],
    message,
    details: { ...(name === "" ? {} : { name }), ...(resource.group === "" ? {} : { group: resource.group }), kind: resource.plural },
  });
}

function qualified(resource: ResourceName): string {
  return resource.group === "" ? resource.plural : `${resource.plural}.${resource.group}`;
}
