/** Status codes of RST_STREAM. */
export const RESET = {
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  unsupportedVersion: 4,
  cancel: 5,
  internalError: 6,
  flowControlError: 7,
} as const;

/** Status codes of GOAWAY. */
export const GO_AWAY = { ok: 0, protocolError: 1, internalError: 2 } as const;

/** The peer broke the protocol, or the connection broke: the whole session is over. */
export class SpdyError extends Error {
  override readonly name = "SpdyError";
}

/** The peer refused or reset one stream; the session goes on. */
export class SpdyResetError extends Error {
  override readonly name = "SpdyResetError";
  readonly code: number;
  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}
