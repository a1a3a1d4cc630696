import type { Instant } from "#base/clock.ts";

/** A pod as the runtime has it. Made by the lister of containers, read by plan and status. */
export interface PodRuntime {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  /** Newest first. */
  readonly sandboxes: readonly RuntimeSandbox[];
  /** Newest first. */
  readonly containers: readonly RuntimeContainer[];
}

export interface RuntimeSandbox {
  readonly id: string;
  readonly attempt: number;
  readonly ready: boolean;
  readonly createdAt: Instant;
  /** Empty: host network, or none (any more). */
  readonly ips: readonly string[];
}

export interface RuntimeContainer {
  readonly id: string;
  readonly name: string;
  readonly sandboxId: string;
  /** How often the container had been restarted when this one was made. */
  readonly restartCount: number;
  /** Of the spec it was made from; see containerHash. */
  readonly hash: string;
  readonly state: "created" | "running" | "exited" | "unknown";
  readonly createdAt: Instant;
  readonly startedAt: Instant;
  readonly finishedAt: Instant;
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  /** As the pod names it. */
  readonly image: string;
  readonly imageId: string;
  readonly logPath: string;
}

export const noRuntime = (uid: string, name: string, namespace: string): PodRuntime => ({
  uid,
  name,
  namespace,
  sandboxes: [],
  containers: [],
});

/** The newest container of this name. */
export function latest(runtime: PodRuntime, name: string): RuntimeContainer | undefined {
  return runtime.containers.find((container) => container.name === name);
}

/** The newest two: the present one and the one before, for `lastState`. */
export function history(runtime: PodRuntime, name: string): readonly RuntimeContainer[] {
  return runtime.containers.filter((container) => container.name === name);
}

export function currentSandbox(runtime: PodRuntime): RuntimeSandbox | undefined {
  return runtime.sandboxes[0];
}

/** A sandbox that can take containers. */
export function readySandbox(runtime: PodRuntime): RuntimeSandbox | undefined {
  return runtime.sandboxes.find((sandbox) => sandbox.ready);
}
