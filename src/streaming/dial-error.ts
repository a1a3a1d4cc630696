/** What Go's network library says where Node gives these codes: clients show it, and match on it. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connect: connection refused",
  ECONNRESET: "read: connection reset by peer",
  EHOSTUNREACH: "connect: no route to host",
  ENETUNREACH: "connect: network is unreachable",
  ETIMEDOUT: "i/o timeout",
  EPIPE: "write: broken pipe",
};

/** A failure to connect, as upstream words it: `dial tcp 192.168.0.11:10250: connect: connection refused`. */
export function describeDialError(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return describeDialError(cause.errors[0]);
  if (!(cause instanceof Error)) return String(cause);
  const { code, address, port, hostname } = cause as Error & Partial<Record<"code" | "address" | "port" | "hostname", unknown>>;
  if (code === "ENOTFOUND") return `dial tcp: lookup ${String(hostname)}: no such host`;
  const words = typeof code === "string" ? WORDS[code] : undefined;
  if (words === undefined) return cause.message;
  const host = String(address).includes(":") ? `[${String(address)}]` : String(address);
  return address === undefined ? words : `dial tcp ${host}:${String(port)}: ${words}`;
}
