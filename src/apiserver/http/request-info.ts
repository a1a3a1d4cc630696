/** What a request is about, read from method, path and query alone. The authorizer and the router go by it. */
export interface RequestInfo {
  readonly isResource: boolean;
  /** API verb for resources (`list`), lower-case method for other paths (`get`). */
  readonly verb: string;
  readonly path: string;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** Path segments after the subresource (`proxy/a/b`), still encoded, with leading slash. */
  readonly rest: string;
}

/** Subresources of namespaces; every other third segment names a resource in it. */
const NAMESPACE_SUBRESOURCES = new Set(["status", "finalize"]);

const METHOD_VERBS: Readonly<Record<string, string>> = {
  POST: "create",
  GET: "get",
  HEAD: "get",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/** Never throws: a path that cannot be read is no resource, and the router finds nothing there. */
export function parseRequestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  const nothing: RequestInfo = {
    isResource: false,
    verb: method.toLowerCase(),
    path,
    group: "",
    version: "",
    namespace: "",
    resource: "",
    subresource: "",
    name: "",
    rest: "",
  };
  const raw = path.split("/").filter((part) => part !== "");
  const parts: string[] = [];
  for (const part of raw) {
    const text = decoded(part);
    if (text === undefined) return nothing;
    parts.push(text);
  }
  let at: number;
  let group = "";
  if (parts[0] === "api" && parts.length >= 3) at = 1;
  else if (parts[0] === "apis" && parts.length >= 4) {
    group = parts[1] ?? "";
    at = 2;
  } else return nothing;
  const version = parts[at++] ?? "";

  let verb = METHOD_VERBS[method] ?? "";
  let watchPrefix = false;
  if (parts[at] === "watch" && parts.length > at + 1) {
    watchPrefix = true;
    verb = "watch";
    at++;
  }
  let namespace = "";
  let resourceAt = at;
  if (parts[at] === "namespaces" && parts.length > at + 1) {
    namespace = parts[at + 1] ?? "";
    const third = parts[at + 2];
    if (third !== undefined && !NAMESPACE_SUBRESOURCES.has(third)) resourceAt = at + 2;
  }
  const resource = parts[resourceAt] ?? "";
  let name = parts[resourceAt + 1] ?? "";
  const subresource = parts[resourceAt + 2] ?? "";
  const rest = raw.length > resourceAt + 3 ? `/${raw.slice(resourceAt + 3).join("/")}` : "";

  if (name === "" && (verb === "get" || watchPrefix)) {
    verb = isTrue(query.get("watch")) || watchPrefix ? "watch" : "list";
    const only = /^metadata\.name==?([^=,!]+)$/.exec(query.get("fieldSelector") ?? "")?.[1];
    if (only !== undefined) name = only;
  } else if (name === "" && verb === "delete") verb = "deletecollection";
  else if (subresource === "" && verb === "get" && isTrue(query.get("watch")) && method === "GET") verb = "watch";
  return { ...nothing, isResource: true, verb, group, version, namespace, resource, subresource, name, rest };
}

/** Go's idea of a true query parameter: present and not "false" or "0". */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== "false" && value !== "0" && value !== "";
}

function decoded(part: string): string | undefined {
  if (!part.includes("%")) return part;
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    if (cause instanceof URIError) return undefined;
    throw cause;
  }
}
