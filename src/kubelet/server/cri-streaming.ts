import type { CriRuntime } from "#cri/contract.ts";
import { CriError, formatRpcError } from "#cri/error.ts";
import { openPortForward } from "#streaming/port-forward/client.ts";
import { runRemoteCommand } from "#streaming/remote-command/client.ts";
import { internalErrorStatus } from "#streaming/remote-command/status.ts";
import type { AttachTarget, ConnectStreams, ExecTarget, StreamingRuntime } from "./contract.ts";

/** The runtime's calls that give a URL of its own streaming server, and the one that runs a command to its end. */
export interface CriStreamingCalls {
  execUrl(target: ExecTarget, signal: AbortSignal): Promise<string>;
  attachUrl(target: AttachTarget, signal: AbortSignal): Promise<string>;
  portForwardUrl(podSandboxId: string, signal: AbortSignal): Promise<string>;
  execSync(
    containerId: string,
    command: readonly string[],
    signal: AbortSignal,
  ): Promise<{ readonly stdout: Uint8Array; readonly stderr: Uint8Array; readonly exitCode: number }>;
}

/**
 * Exec, attach and port-forward through the runtime's streaming server. Clients' protocols end at the node; the runtime always
 * gets SPDY with version 4, which every version of every runtime speaks.
 */
export function createCriStreaming(calls: CriStreamingCalls): StreamingRuntime {
  return {
    exec: async (target, signal) => connectTo(await calls.execUrl(target, signal), target),
    attach: async (target, signal) => connectTo(await calls.attachUrl(target, signal), target),
    async portForward(podSandboxId, signal) {
      const client = await openPortForward(new URL(await calls.portForwardUrl(podSandboxId, signal)), { signal });
      return {
        connect: client.connect,
        [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
      };
    },
    async run(containerId, command, signal) {
      const { stdout, stderr, exitCode } = await calls.execSync(containerId, command, signal);
      const output = Buffer.concat([stdout, stderr]);
      if (exitCode !== 0) throw new RunError(`command '${command.join(" ")}' exited with ${exitCode}: ${Buffer.from(stderr).toString()}`);
      return output;
    },
  };
}

/** The calls of a runtime client. Failures carry the text that upstream shows for them. */
export function criStreamingCalls(cri: CriRuntime): CriStreamingCalls {
  return {
    execUrl: ({ containerId, command, ...streams }, signal) => explained(cri.exec({ containerId, cmd: command, ...streams }, { signal })),
    attachUrl: (target, signal) => explained(cri.attach(target, { signal })),
    portForwardUrl: (podSandboxId, signal) => explained(cri.portForward({ podSandboxId, port: [] }, { signal })),
    execSync: (containerId, cmd, signal) => explained(cri.execSync({ containerId, cmd, timeoutSeconds: 0 }, { signal })),
  };
}

async function explained<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    throw cause instanceof CriError ? new RunError(formatRpcError(cause), { cause }) : cause;
  }
}

/** The runtime refused a call, or a command of the run call ended with another code than 0. */
export class RunError extends Error {
  override readonly name = "RunError";
}

function connectTo(url: string, target: AttachTarget): ConnectStreams {
  return async (streams, signal) => {
    try {
      return await runRemoteCommand(new URL(url), target, streams, { signal });
    } catch (cause) {
      // The client has been upgraded already: the error channel is the only way left to tell it.
      return internalErrorStatus(cause instanceof Error ? cause.message : String(cause));
    }
  };
}
