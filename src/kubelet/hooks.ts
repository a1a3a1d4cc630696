import type { Clock } from "#base/clock.ts";
import type { CriRuntime } from "#cri/contract.ts";
import { CriError, formatRpcError } from "#cri/error.ts";
import type { Container, LifecycleHandler } from "#machinery/api/core-v1.ts";
import type { Prober } from "./contract.ts";
import { httpProbe, resolvePort } from "./probes/handler.ts";

export interface HookDeps {
  readonly cri: CriRuntime;
  readonly prober: Prober;
  readonly clock: Clock;
}

/** Longer than any grace period in use: the caller's signal is what ends a hook. */
const NO_LIMIT_MS = 24 * 3_600_000;

/** Carries out a lifecycle hook. undefined: it went well; otherwise why not. An abort ends it without an answer of its own. */
export async function runHook(
  { cri, prober, clock }: HookDeps,
  hook: LifecycleHandler,
  { container, containerId, podIp }: { readonly container: Container; readonly containerId: string; readonly podIp: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  if (hook.exec !== undefined) {
    const cmd = hook.exec.command ?? [];
    try {
      const { stdout, stderr, exitCode } = await cri.execSync({ containerId, cmd, timeoutSeconds: 0 }, { signal });
      if (exitCode === 0) return undefined;
      const output = Buffer.concat([stdout, stderr]).toString();
      return `command '${cmd.join(" ")}' exited with ${exitCode}: ${output}`;
    } catch (cause) {
      if (cause instanceof CriError) return formatRpcError(cause);
      throw cause;
    }
  }
  if (hook.httpGet !== undefined) {
    const port = resolvePort(container, hook.httpGet.port);
    if (port === undefined) return `couldn't find port: ${JSON.stringify(hook.httpGet.port)} in container ${container.name}`;
    try {
      const { outcome, output } = await prober.http(httpProbe(hook.httpGet, podIp, port), { timeoutMs: NO_LIMIT_MS, signal });
      return outcome === "failure" || outcome === "error" ? output : undefined;
    } catch (cause) {
      if (signal.aborted) return "the hook was given up";
      throw cause;
    }
  }
  if (hook.sleep !== undefined) {
    await clock.sleep(hook.sleep.seconds * 1000, signal);
    return undefined;
  }
  return "invalid handler: unsupported lifecycle hook";
}
