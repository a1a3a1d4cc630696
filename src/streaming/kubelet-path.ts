import type { RemoteCommandOptions } from "./remote-command/contract.ts";

/** A container of a pod as the node agent's paths name it. */
export interface ContainerPath {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** Path and query of the node agent's exec, from the API's PodExecOptions. */
export function kubeletExecPath(of: ContainerPath, options: RemoteCommandOptions & { readonly command: readonly string[] }): string {
  const query = streamQuery(options);
  for (const word of options.command) query.append("command", word);
  return `/exec/${containerSegments(of)}?${query}`;
}

export function kubeletAttachPath(of: ContainerPath, options: RemoteCommandOptions): string {
  return `/attach/${containerSegments(of)}?${streamQuery(options)}`;
}

/** `ports` only for the older WebSocket form, whose clients name them in the query. */
export function kubeletPortForwardPath(of: Omit<ContainerPath, "container">, ports: readonly number[] = []): string {
  const query = ports.length === 0 ? "" : `?${ports.map((port) => `port=${port}`).join("&")}`;
  return `/portForward/${encodeURIComponent(of.namespace)}/${encodeURIComponent(of.pod)}${query}`;
}

/** `query` carries the API's PodLogOptions under their own names. */
export function kubeletLogPath(of: ContainerPath, query: URLSearchParams): string {
  const text = query.toString();
  return `/containerLogs/${containerSegments(of)}${text === "" ? "" : `?${text}`}`;
}

function containerSegments({ namespace, pod, container }: ContainerPath): string {
  return [namespace, pod, container].map(encodeURIComponent).join("/");
}

function streamQuery({ stdin, stdout, stderr, tty }: RemoteCommandOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (stdin) query.set("input", "1");
  if (stdout) query.set("output", "1");
  if (stderr) query.set("error", "1");
  if (tty) query.set("tty", "1");
  return query;
}
