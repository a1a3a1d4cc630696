import type { Container, Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";

/** Labels and annotations of sandboxes and containers, as upstream's kubelet writes them: other tools read them. */
export const LABEL = {
  podName: "io.kubernetes.pod.name",
  podNamespace: "io.kubernetes.pod.namespace",
  podUid: "io.kubernetes.pod.uid",
  containerName: "io.kubernetes.container.name",
} as const;

export const ANNOTATION = {
  hash: "io.kubernetes.container.hash",
  restartCount: "io.kubernetes.container.restartCount",
  terminationMessagePath: "io.kubernetes.container.terminationMessagePath",
  terminationMessagePolicy: "io.kubernetes.container.terminationMessagePolicy",
  gracePeriod: "io.kubernetes.pod.terminationGracePeriod",
  ports: "io.kubernetes.container.ports",
  preStop: "io.kubernetes.container.preStopHandler",
  /** "init", "sidecar" or "main": for runtimes without processes, which must know what ends. */
  containerType: "navarch.dev/container-type",
} as const;

export type ContainerType = "init" | "sidecar" | "main" | "ephemeral";

/** Fields of a container whose change restarts it: those that may change in a live pod. */
export function containerHash(container: Pick<Container, "name" | "image">): string {
  return fnv1a32(JSON.stringify({ name: container.name, image: container.image })).toString(16);
}

function fnv1a32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** `name_namespace(uid)`: how upstream's messages name a pod. */
export function formatPod({ metadata }: Stored<Pod>): string {
  return `${metadata.name}_${namespaceOf({ metadata })}(${metadata.uid})`;
}

/** Every pod that came from the API has one. */
export function namespaceOf({ metadata }: { readonly metadata: { readonly namespace?: string } }): string {
  return metadata.namespace ?? "default";
}

export function podLogDirectory(
  logDirectory: string,
  pod: { readonly namespace: string; readonly name: string; readonly uid: string },
): string {
  return `${logDirectory}/${pod.namespace}_${pod.name}_${pod.uid}`;
}

/** Relative to the pod's log directory. */
export function containerLogPath(container: string, restartCount: number): string {
  return `${container}/${restartCount}.log`;
}

export function podDirectory(rootDirectory: string, uid: string): string {
  return `${rootDirectory}/pods/${uid}`;
}

export function isSidecar(container: Container): boolean {
  return container.restartPolicy === "Always";
}

/** All containers of the pod with their type, in order of start. */
export function allContainers(pod: Pod): readonly { readonly container: Container; readonly type: ContainerType }[] {
  return [
    ...(pod.spec.initContainers ?? []).map((container) => ({
      container,
      type: isSidecar(container) ? ("sidecar" as const) : ("init" as const),
    })),
    ...pod.spec.containers.map((container) => ({ container, type: "main" as const })),
    ...(pod.spec.ephemeralContainers ?? []).map((container) => ({ container, type: "ephemeral" as const })),
  ];
}

/** Go's way to print a duration of whole milliseconds: 500ms, 10s, 1m20s, 5m0s, 1h0m0s. */
export function formatGoDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms < 1000) return `${ms}ms`;
  const seconds = (ms % 60_000) / 1000;
  const minutes = Math.floor(ms / 60_000) % 60;
  const hours = Math.floor(ms / 3_600_000);
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
