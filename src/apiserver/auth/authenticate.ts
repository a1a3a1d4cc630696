import type { Clock } from "#base/clock.ts";
import { unauthorized } from "#machinery/status.ts";
import type { Exchange } from "../http/exchange.ts";
import type { Objects } from "../objects.ts";
import { bootstrapTokenUser } from "./bootstrap-tokens.ts";
import { InvalidTokenError, type ServiceAccountTokens } from "./service-account-tokens.ts";
import { ANONYMOUS, authenticated, type User } from "./user.ts";

/** Finds out who asks. Throws 401 for credentials that are there and wrong; none at all is the anonymous user. */
export type Authenticator = (exchange: Exchange) => Promise<User>;

export interface AuthenticatorDeps {
  readonly tokens: ServiceAccountTokens;
  readonly objects: Objects;
  readonly clock: Clock;
}

/** Client certificate first, then bearer token. */
export function createAuthenticator({ tokens, objects, clock }: AuthenticatorDeps): Authenticator {
  return async (exchange) => {
    const user = exchange.inProcess ?? certificateUser(exchange);
    if (user !== undefined) return user;
    const token = bearerToken(exchange);
    if (token === undefined) return ANONYMOUS;
    const found = (await serviceAccount(token)) ?? (await bootstrapTokenUser(token, objects, clock));
    if (found === undefined) throw unauthorized();
    return found;
  };

  async function serviceAccount(token: string): Promise<User | undefined> {
    try {
      return (await tokens.verify(token, [tokens.apiAudience]))?.user;
    } catch (cause) {
      if (cause instanceof InvalidTokenError) throw unauthorized();
      throw cause;
    }
  }
}

/** Browsers cannot set headers on WebSockets: they send the token as a subprotocol. */
const WEBSOCKET_TOKEN = "base64url.bearer.authorization.k8s.io.";

function bearerToken({ headers }: Exchange): string | undefined {
  const token = /^bearer +(\S+)$/i.exec(headers.authorization?.trim() ?? "")?.[1];
  if (token !== undefined) return token;
  if (headers.authorization !== undefined && headers.authorization.trim() !== "") throw unauthorized();
  const offered = (headers["sec-websocket-protocol"] ?? "")
    .split(",")
    .map((protocol) => protocol.trim())
    .find((protocol) => protocol.startsWith(WEBSOCKET_TOKEN));
  return offered === undefined ? undefined : Buffer.from(offered.slice(WEBSOCKET_TOKEN.length), "base64url").toString();
}

/** The user of a client certificate that our authority has signed: common name and organizations. */
export function certificateUser(exchange: Exchange): User | undefined {
  const { socket } = exchange;
  if (socket === undefined || !socket.authorized) return undefined;
  const known = bySocket.get(socket);
  if (known !== undefined) return known;
  const { subject } = socket.getPeerCertificate();
  // An empty object where the client has sent none.
  if (subject === undefined) return undefined;
  const name = first(subject.CN);
  if (name === undefined || name === "") return undefined;
  const user = authenticated({ name, groups: all(subject.O) });
  bySocket.set(socket, user);
  return user;
}

const bySocket = new WeakMap<object, User>();

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.at(-1) : value;
}

function all(value: string | string[] | undefined): readonly string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}
