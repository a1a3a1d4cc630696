import { badRequest } from "#machinery/status.ts";

/** Where a chunked list goes on: the state of `revision` (-1: the newest), from the key after `after` (relative to the prefix). */
export interface ContinueToken {
  readonly revision: number;
  readonly start: string;
}

export function formatContinueToken({ revision, start }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: revision, start })).toString("base64url");
}

export function parseContinueToken(text: string): ContinueToken {
  const decoded: unknown = parsed(text);
  if (typeof decoded !== "object" || decoded === null) throw notValid("decode error");
  const { v, rv, start } = decoded as { v?: unknown; rv?: unknown; start?: unknown };
  if (v !== "meta.k8s.io/v1") throw notValid(`server does not recognize this encoded version ${JSON.stringify(String(v))}`);
  if (typeof rv !== "number" || !Number.isSafeInteger(rv) || rv === 0)
    throw notValid("incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  if (typeof start !== "string" || start === "") throw notValid("encoded start key empty (version meta.k8s.io/v1)");
  if (start.includes("..")) throw notValid(`invalid continue value`);
  return { revision: rv, start };
}

function parsed(text: string): unknown {
  if (!/^[A-Za-z0-9_-]+={0,2}$/.test(text)) throw notValid("illegal base64 data");
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString());
  } catch (cause) {
    if (cause instanceof SyntaxError) throw notValid(cause.message);
    throw cause;
  }
}

function notValid(why: string) {
  return badRequest(`continue key is not valid: ${why}`);
}
