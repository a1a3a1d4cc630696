import { backoffDelayMs } from "#base/backoff.ts";
import type { Clock, Instant } from "#base/clock.ts";
import type { CriRuntime, Image } from "#cri/contract.ts";
import { CriError, formatRpcError } from "#cri/error.ts";
import type { Container, Pod, Secret } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import type { RecordPodEvent } from "../pod-events.ts";
import { formatGoDuration } from "../names.ts";
import { credentialsFor } from "./credentials.ts";

export type ImageAnswer =
  | { readonly ok: true; readonly image: Image }
  /** `retryAt`: not before this is another try worth it. */
  | { readonly ok: false; readonly reason: string; readonly message: string; readonly retryAt: Instant };

export interface ImagePullerDeps {
  readonly cri: CriRuntime;
  readonly clock: Clock;
  readonly record: RecordPodEvent;
  /** The pod's pull secrets, those that exist. */
  readonly pullSecrets: (pod: Stored<Pod>, signal: AbortSignal) => Promise<readonly Secret[]>;
}

const PULL_BACK_OFF = { baseMs: 10_000, maxMs: 300_000 };
/** The registry's refusal stands this long before the status turns to ImagePullBackOff. */
const SHOW_ERROR_MS = 5_000;
const NEVER_PULL_RETRY_MS = 10_000;

/**
 * Makes images be there, by the container's pull policy and with upstream's reasons, messages and events. One image is
 * pulled once at a time, whoever asks. A failed pull is not tried again before its back-off (10 s, doubled up to 5 min per pod and
 * image) has passed.
 */
export interface ImagePuller {
  ensure(pod: Stored<Pod>, container: Container, signal: AbortSignal): Promise<ImageAnswer>;
  forget(uid: string): void;
}

export function createImagePuller({ cri, clock, record, pullSecrets }: ImagePullerDeps): ImagePuller {
  const failures = new Map<string, { readonly attempt: number; readonly retryAt: Instant; readonly message: string }>();
  const pulling = new Map<string, Promise<string>>();

  return {
    async ensure(pod, container, signal) {
      const name = container.image ?? "";
      const policy = container.imagePullPolicy ?? (/:latest$|^[^:@]*(\/[^:@]*)?$/.test(name) ? "Always" : "IfNotPresent");
      const present = await cri.imageStatus({ image: name }, { signal });
      if (present !== undefined && policy !== "Always") {
        record(pod, container, "Normal", "Pulled", `Container image "${name}" already present on machine`);
        return { ok: true, image: present };
      }
      if (policy === "Never") {
        const message = `Container image "${name}" is not present with pull policy of Never`;
        record(pod, container, "Warning", "ErrImageNeverPull", message);
        return { ok: false, reason: "ErrImageNeverPull", message, retryAt: clock.now() + NEVER_PULL_RETRY_MS };
      }
      return pull(pod, container, name, signal);
    },
    forget(uid) {
      for (const key of failures.keys()) if (key.startsWith(`${uid}_`)) failures.delete(key);
    },
  };

  async function pull(pod: Stored<Pod>, container: Container, name: string, signal: AbortSignal): Promise<ImageAnswer> {
    const key = `${pod.metadata.uid}_${name}`;
    const failed = failures.get(key);
    if (failed !== undefined && clock.now() < failed.retryAt) {
      record(pod, container, "Normal", "BackOff", `Back-off pulling image "${name}"`);
      const message = `Back-off pulling image "${name}": ErrImagePull: ${failed.message}`;
      return { ok: false, reason: "ImagePullBackOff", message, retryAt: failed.retryAt };
    }
    record(pod, container, "Normal", "Pulling", `Pulling image "${name}"`);
    const began = clock.now();
    try {
      const ref = await shared(pod, name, signal);
      const image = await cri.imageStatus({ image: ref }, { signal });
      if (image === undefined) throw new CriError({ code: "NotFound", call: "ImageStatus", details: `image "${ref}" is gone` });
      failures.delete(key);
      const took = formatGoDuration(clock.now() - began);
      record(
        pod,
        container,
        "Normal",
        "Pulled",
        `Successfully pulled image "${name}" in ${took} (${took} including waiting). Image size: ${image.size} bytes.`,
      );
      return { ok: true, image };
    } catch (cause) {
      if (signal.aborted || !(cause instanceof CriError)) throw cause;
      const message = formatRpcError(cause);
      const attempt = failed === undefined ? 0 : failed.attempt + 1;
      failures.set(key, { attempt, retryAt: clock.now() + backoffDelayMs(PULL_BACK_OFF, attempt), message });
      record(pod, container, "Warning", "Failed", `Failed to pull image "${name}": ${message}`);
      return { ok: false, reason: "ErrImagePull", message, retryAt: clock.now() + SHOW_ERROR_MS };
    }
  }

  /** The pull under way for this image, or a new one. A pull that its starter gives up ends for those who joined, too: they retry. */
  async function shared(pod: Stored<Pod>, name: string, signal: AbortSignal): Promise<string> {
    const running = pulling.get(name);
    if (running !== undefined) return running;
    const mine = pullWithSecrets(pod, name, signal).finally(() => pulling.delete(name));
    pulling.set(name, mine);
    return mine;
  }

  async function pullWithSecrets(pod: Stored<Pod>, name: string, signal: AbortSignal): Promise<string> {
    const logins = credentialsFor(name, await pullSecrets(pod, signal));
    let refusal: unknown;
    for (const auth of logins) {
      try {
        return await cri.pullImage({ image: { image: name }, auth }, { signal });
      } catch (cause) {
        if (signal.aborted || !(cause instanceof CriError)) throw cause;
        refusal = cause; // another login may be the right one
      }
    }
    if (refusal !== undefined) throw refusal;
    return cri.pullImage({ image: { image: name } }, { signal });
  }
}
