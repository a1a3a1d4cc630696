import type { TLSSocket } from "node:tls";
import type { NodeAccess, UserInfo } from "./contract.ts";

const VERBS: Readonly<Record<string, string>> = {
  POST: "create",
  GET: "get",
  HEAD: "get",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/** Paths with a subresource of their own; `proxy` covers the rest, and those with `orProxy` too. */
const SUBRESOURCES: readonly { readonly path: string; readonly subresource: string; readonly orProxy: boolean }[] = [
  { path: "/stats", subresource: "stats", orProxy: false },
  { path: "/metrics", subresource: "metrics", orProxy: false },
  { path: "/logs", subresource: "log", orProxy: false },
  { path: "/checkpoint", subresource: "checkpoint", orProxy: false },
  { path: "/statusz", subresource: "statusz", orProxy: false },
  { path: "/flagz", subresource: "flagz", orProxy: false },
  { path: "/pods", subresource: "pods", orProxy: true },
  { path: "/runningpods", subresource: "pods", orProxy: true },
  { path: "/healthz", subresource: "healthz", orProxy: true },
  { path: "/configz", subresource: "configz", orProxy: true },
];

/** What a request needs to be allowed. */
export function accessOf(user: UserInfo, method: string, path: string, nodeName: string): NodeAccess {
  const own = SUBRESOURCES.find((each) => path === each.path || path.startsWith(`${each.path}/`));
  const subresources = own === undefined ? ["proxy"] : own.orProxy ? [own.subresource, "proxy"] : [own.subresource];
  return { user, verb: VERBS[method] ?? "", nodeName, subresources, path };
}

/** Upstream's refusal. */
export function forbiddenText({ user, verb, subresources }: NodeAccess): string {
  return `Forbidden (user=${user.name}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(" ")}])\n`;
}

/** The user that a verified client certificate names: its CN, with its organisations as groups. */
export function certificateUser(socket: TLSSocket): UserInfo | undefined {
  if (!socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  const name = first(subject?.CN);
  if (name === undefined || name === "") return undefined;
  return { name, groups: [...all(subject.O), "system:authenticated"] };
}

export function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(header?.trim() ?? "")?.[1];
}

/** Node gives an attribute that occurs more than once as a list. */
function all(value: string | readonly string[] | undefined): readonly string[] {
  return typeof value === "string" ? [value] : (value ?? []);
}

function first(value: string | readonly string[] | undefined): string | undefined {
  return all(value)[0];
}
