import { expect, test } from "vitest";
import type { ContainerState, Pod } from "#machinery/api/core-v1.ts";
import { findLogContainer } from "./log-container.ts";

const ended = (containerID?: string) => ({ terminated: { exitCode: 1, ...(containerID !== undefined && { containerID }) } });
const waiting = (reason: string) => ({ waiting: { reason } });

test.each<[string, ContainerState | undefined, ContainerState | undefined, boolean, string]>([
  ["running", { running: {} }, undefined, false, "id now"],
  ["ended", ended("containerd://end"), undefined, false, "id end"],
  ["ended without a container, started before", ended(), ended("containerd://before"), false, "id before"],
  ["ended without any container", ended(), undefined, false, 'container "c" in pod "web" is terminated'],
  ["waiting after a crash", waiting("CrashLoopBackOff"), ended("containerd://before"), false, "id before"],
  ["starting", waiting("ContainerCreating"), undefined, false, 'container "c" in pod "web" is waiting to start: ContainerCreating'],
  ["without image", waiting("ErrImagePull"), undefined, false, 'container "c" in pod "web" is waiting to start: image can\'t be pulled'],
  [
    "backing off",
    waiting("ImagePullBackOff"),
    undefined,
    false,
    'container "c" in pod "web" is waiting to start: trying and failing to pull image',
  ],
  ["in no state", undefined, undefined, false, 'container "c" in pod "web" is waiting to start - no logs yet'],
  ["running, the one before", { running: {} }, ended("containerd://before"), true, "id before"],
  ["running, none before", { running: {} }, undefined, true, 'previous terminated container "c" in pod "web" not found'],
])("findLogContainer() of a container %s", (_name, state, lastState, previous, expected) => {
  const status = {
    name: "c",
    ready: false,
    restartCount: 0,
    image: "i",
    imageID: "",
    containerID: "containerd://now",
    ...(state && { state }),
    ...(lastState && { lastState }),
  };
  const found = findLogContainer(pod([status]), "c", { previous });
  expect(found.ok ? `id ${found.containerId}` : found.message).toBe(expected);
}); // prettier-ignore

test("findLogContainer() of a container without status", () => {
  expect(findLogContainer(pod([]), "c", { previous: false })).toEqual({
    ok: false,
    message: 'container "c" in pod "web" is not available',
  });
});

function pod(containerStatuses: NonNullable<Pod["status"]>["containerStatuses"] & object): Pod {
  return { apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, spec: { containers: [] }, status: { containerStatuses } };
}
