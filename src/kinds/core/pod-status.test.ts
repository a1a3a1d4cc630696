import { describe, expect, test } from "vitest";
import type { ContainerStatus, Pod, PodStatus } from "#machinery/api/core-v1.ts";
import { summarizePod } from "./pod-status.ts";

const NOW = Date.parse("2030-01-01T01:00:00Z");

function status(name: string, rest: Partial<ContainerStatus> = {}): ContainerStatus {
  return { name, ready: false, restartCount: 0, image: "", imageID: "", ...rest };
}
const running = { state: { running: {} }, ready: true };
const waiting = (reason: string) => ({ state: { waiting: { reason } } });
const terminated = (exitCode: number, rest: object = {}) => ({ state: { terminated: { exitCode, ...rest } } });

function pod(podStatus: PodStatus, init: Pod["spec"]["initContainers"] = [], metadata: Pod["metadata"] = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata,
    spec: { containers: [{ name: "a" }, { name: "b" }], initContainers: init },
    status: podStatus,
  };
}
const deleting = { deletionTimestamp: "2030-01-01T01:00:30Z" };
const sidecar = { name: "s", restartPolicy: "Always" };

describe("summarizePod()", () => {
  test.each<[string, Pod, string, string, string]>([
    ["new", pod({ phase: "Pending" }), "0/2", "Pending", "0"],
    [
      "gated",
      pod({ phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "SchedulingGated" }] }),
      "0/2",
      "SchedulingGated",
      "0",
    ],
    [
      "being made",
      pod({ phase: "Pending", containerStatuses: [status("a", waiting("ContainerCreating")), status("b", waiting("ContainerCreating"))] }),
      "0/2",
      "ContainerCreating",
      "0",
    ],
    ["running", pod({ phase: "Running", containerStatuses: [status("a", running), status("b", running)] }), "2/2", "Running", "0"],
    [
      "crashing",
      pod({
        phase: "Running",
        containerStatuses: [
          status("a", running),
          status("b", {
            ...waiting("CrashLoopBackOff"),
            restartCount: 3,
            lastState: { terminated: { exitCode: 1, finishedAt: "2030-01-01T00:55:00Z" } },
          }),
        ],
      }),
      "1/2",
      "CrashLoopBackOff",
      "3 (5m ago)",
    ],
    [
      "done",
      pod({
        phase: "Succeeded",
        containerStatuses: [status("a", terminated(0, { reason: "Completed" })), status("b", terminated(0, { reason: "Completed" }))],
      }),
      "0/2",
      "Completed",
      "0",
    ],
    [
      "half done and not ready",
      pod({ phase: "Running", containerStatuses: [status("a", terminated(0, { reason: "Completed" })), status("b", running)] }),
      "1/2",
      "NotReady",
      "0",
    ],
    [
      "failed by signal",
      pod({ phase: "Failed", containerStatuses: [status("a", terminated(137, { signal: 9 }))] }),
      "0/2",
      "Signal:9",
      "0",
    ],
    ["failed by code", pod({ phase: "Failed", containerStatuses: [status("a", terminated(2))] }), "0/2", "ExitCode:2", "0"],
    ["evicted", pod({ phase: "Failed", reason: "Evicted" }), "0/2", "Evicted", "0"],
    [
      "in its first init container",
      pod({ phase: "Pending", initContainerStatuses: [status("i", { state: { running: {} } }), status("j", waiting("PodInitializing"))] }, [
        { name: "i" },
        { name: "j" },
      ]),
      "0/2",
      "Init:0/2",
      "0",
    ],
    [
      "in its second init container",
      pod({ phase: "Pending", initContainerStatuses: [status("i", terminated(0)), status("j", waiting("PodInitializing"))] }, [
        { name: "i" },
        { name: "j" },
      ]),
      "0/2",
      "Init:1/2",
      "0",
    ],
    [
      "failing to initialize",
      pod({ phase: "Pending", initContainerStatuses: [status("i", { ...terminated(1, { reason: "Error" }), restartCount: 2 })] }, [
        { name: "i" },
      ]),
      "0/2",
      "Init:Error",
      "2",
    ],
    [
      "waiting for an init image",
      pod({ phase: "Pending", initContainerStatuses: [status("i", waiting("ImagePullBackOff"))] }, [{ name: "i" }]),
      "0/2",
      "Init:ImagePullBackOff",
      "0",
    ],
    [
      "running with a sidecar",
      pod(
        {
          phase: "Running",
          conditions: [{ type: "Initialized", status: "True" }],
          initContainerStatuses: [status("s", { ...running, started: true, restartCount: 1 })],
          containerStatuses: [status("a", running), status("b", running)],
        },
        [sidecar],
      ),
      "3/3",
      "Running",
      "1",
    ],
    [
      "going",
      pod({ phase: "Running", containerStatuses: [status("a", running), status("b", running)] }, [], deleting),
      "2/2",
      "Terminating",
      "0",
    ],
    ["lost", pod({ phase: "Running", reason: "NodeLost" }, [], deleting), "0/2", "Unknown", "0"],
    ["done and held by a finalizer", pod({ phase: "Succeeded" }, [], deleting), "0/2", "Succeeded", "0"],
  ])("a pod that is %s", (_, object, ready, word, restarts) => {
    expect(summarizePod(object, NOW)).toEqual({ ready, status: word, restarts });
  });
});
