/** Pod networking of a node could not be set up. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
}

/** What the kernel said about one route, by the words `ip` prints; undefined for words not known. */
export type RouteRefusal = "gateway is not on a connected network" | "no such route" | "not permitted";

export function classifyRouteError(text: string): RouteRefusal | undefined {
  if (/Nexthop has invalid gateway|Network is unreachable|No route to host/.test(text)) return "gateway is not on a connected network";
  if (/No such process|No such file or directory/.test(text)) return "no such route";
  if (/Operation not permitted/.test(text)) return "not permitted";
  return undefined;
}
