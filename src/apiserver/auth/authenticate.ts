import type { Exchange } from "../http/exchange.ts";
import { authenticated, type User } from "./user.ts";

/** Finds out who asks. Throws 401 for credentials that are there and wrong; none at all is the anonymous user. */
export type Authenticator = (exchange: Exchange) => Promise<User>;

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
