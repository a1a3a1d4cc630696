import type { Pod } from "#machinery/api/core-v1.ts";

export type LogContainer =
  | { readonly ok: true; readonly containerId: string }
  /** In upstream's words. */
  | { readonly ok: false; readonly message: string };

/** Which container of the pod, the present one or the one before, a log request means. Ids come without their scheme. */
export function findLogContainer(pod: Pod, container: string, { previous }: { readonly previous: boolean }): LogContainer {
  const name = `container ${JSON.stringify(container)} in pod ${JSON.stringify(pod.metadata?.name ?? "")}`;
  const status = [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.ephemeralContainerStatuses ?? []),
  ].find((each) => each.name === container);
  if (status === undefined) return failed(`${name} is not available`);
  const { waiting, running, terminated } = status.state ?? {};
  const last = status.lastState?.terminated;
  if (previous) return found(last?.containerID, `previous terminated ${name} not found`);
  if (running !== undefined) return found(status.containerID, `${name} is waiting to start - no logs yet`);
  if (terminated !== undefined) return found(terminated.containerID || last?.containerID, `${name} is terminated`);
  if (last !== undefined) return found(last.containerID, `${name} is terminated`);
  if (waiting === undefined) return failed(`${name} is waiting to start - no logs yet`);
  const reason = waiting.reason ?? "";
  return failed(`${name} is waiting to start: ${IMAGE_REASONS[reason] ?? reason}`);
}

/** Reasons that upstream explains. */
const IMAGE_REASONS: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: "trying and failing to pull image",
};

function found(id: string | undefined, otherwise: string): LogContainer {
  if (id === undefined || id === "") return failed(otherwise);
  return { ok: true, containerId: id.replace(/^[^/]*:\/\//, "") };
}

function failed(message: string): LogContainer {
  return { ok: false, message };
}
