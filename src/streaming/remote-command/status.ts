/** metav1.Status as it travels on the error channel. */
export interface RemoteCommandStatus {
  readonly metadata: Record<string, never>;
  readonly status: "Success" | "Failure";
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
  readonly code?: number;
}

export const SUCCESS: RemoteCommandStatus = { metadata: {}, status: "Success" };

/** The outcome of a command that ended with `code`. `what` says which command: upstream's runtimes put it into the message. */
export function exitStatus(code: number, what = `exit status ${code}`): RemoteCommandStatus {
  if (code === 0) return SUCCESS;
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: ${what}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(code) }] },
  };
}

/** The outcome when there is none: the command could not be run, or its end could not be learnt. */
export function internalErrorStatus(message: string): RemoteCommandStatus {
  return {
    metadata: {},
    status: "Failure",
    message: `Internal error occurred: ${message}`,
    reason: "InternalError",
    details: { causes: [{ message }] },
    code: 500,
  };
}

/** The exit code that a status tells; undefined when it tells of no exit. */
export function exitCodeOf(status: RemoteCommandStatus): number | undefined {
  if (status.status === "Success") return 0;
  if (status.reason !== "NonZeroExitCode") return undefined;
  const text = status.details?.causes?.find((cause) => cause.reason === "ExitCode")?.message ?? "";
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** Reads what came on an error channel: a Status from version 4 on, plain text before. Nothing at all means success. */
export function parseRemoteCommandStatus(text: string): RemoteCommandStatus {
  if (text === "") return SUCCESS;
  const parsed = parseJson(text);
  return isStatus(parsed) ? parsed : internalErrorStatus(text);
}

/** What the error channel carries: JSON from version 4 on, before that the message of a failure. */
export function formatRemoteCommandStatus(status: RemoteCommandStatus, { json }: { readonly json: boolean }): string {
  if (json) return JSON.stringify(status);
  return status.status === "Success" ? "" : (status.message ?? "");
}

function isStatus(value: unknown): value is RemoteCommandStatus {
  return typeof value === "object" && value !== null && "status" in value && (value.status === "Success" || value.status === "Failure");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}
