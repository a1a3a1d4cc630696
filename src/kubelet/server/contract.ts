import type { PortConnect } from "#streaming/port-forward/pairs.ts";
import type { RemoteCommandOptions, RemoteCommandStreams } from "#streaming/remote-command/contract.ts";
import type { RemoteCommandStatus } from "#streaming/remote-command/status.ts";
import type { KubeletView } from "../contract.ts";

/** What the node's server looks up; all answers come from memory. */
export type ServedPods = Pick<KubeletView, "pods" | "pod" | "runtime">;

export interface ExecTarget extends RemoteCommandOptions {
  readonly containerId: string;
  readonly command: readonly string[];
}

export type AttachTarget = Omit<ExecTarget, "command">;

/** Runs until the command has ended and its output is delivered, or the client has gone; its outcome. Must not call `finish`. */
export type ConnectStreams = (streams: Omit<RemoteCommandStreams, "finish">, signal: AbortSignal) => Promise<RemoteCommandStatus>;

/** A client's port-forward session with one sandbox. */
export interface PortForwardSession extends AsyncDisposable {
  readonly connect: PortConnect;
}

/**
 * The runtime behind exec, attach and port-forward. Each call first makes sure that the thing can be done: a rejection refuses
 * the client's request with the message, before anything is upgraded.
 */
export interface StreamingRuntime {
  exec(target: ExecTarget, signal: AbortSignal): Promise<ConnectStreams>;
  attach(target: AttachTarget, signal: AbortSignal): Promise<ConnectStreams>;
  portForward(podSandboxId: string, signal: AbortSignal): Promise<PortForwardSession>;
  /** Runs to the end; stdout followed by stderr. Rejects when it ends with another code than 0. */
  run(containerId: string, command: readonly string[], signal: AbortSignal): Promise<Uint8Array>;
}

export interface UserInfo {
  readonly name: string;
  readonly groups: readonly string[];
}

/** What a request to the node needs: any one of `subresources` of the node suffices. */
export interface NodeAccess {
  readonly user: UserInfo;
  readonly verb: string;
  readonly nodeName: string;
  readonly subresources: readonly string[];
  readonly path: string;
}

/** PEM. `clientCa` is the cluster's CA, whose client certificates name users. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string;
}

export interface ProvidedText {
  readonly contentType: string;
  readonly body: string;
}
