import { networkInterfaces } from "node:os";
import type { Log } from "#base/log.ts";
import { ExecError, exec, execResult } from "#base/node/exec.ts";
import { hasCode } from "#base/node/files.ts";
import type { ProxyBackend } from "../run.ts";
import type { Family, ServicePort } from "../service-map.ts";
import { classifyConntrackError } from "./error.ts";
import { type Answering, type Flow, parseFlows, staleFlows } from "./plan.ts";

export interface ConntrackOptions {
  readonly family: Family;
  /** Mode userspace: this address answers for all endpoints, and after a start of ours nothing does. */
  readonly answeredBy?: string;
}

/**
 * A backend that also makes the kernel forget UDP flows to endpoints that are gone, and those begun before there was one: after the first
 * `apply`, and after each that changes a UDP port. A kernel or machine that cannot is logged once; rules are applied all the same.
 */
export function withConntrack(
  backend: ProxyBackend,
  { log }: { readonly log: Log },
  { family, answeredBy }: ConntrackOptions,
): ProxyBackend {
  const known = new Map<string, ServicePort>();
  let first = true;
  let possible = true;

  return {
    async apply(ports, signal) {
      const applied = await backend.apply(ports, signal);
      const gone: ServicePort[] = [];
      let changed = first;
      for (const [key, port] of ports) {
        const before = known.get(key);
        if (port?.protocol === "UDP") known.set(key, port);
        else known.delete(key);
        if (before !== undefined && port === undefined) gone.push(before);
        changed ||= before !== undefined || port?.protocol === "UDP";
      }
      if (possible && changed && known.size + gone.length > 0) await forget(gone, signal);
      first = false;
      return applied;
    },
  };

  async function forget(gone: readonly ServicePort[], signal: AbortSignal) {
    const addresses = Object.values(networkInterfaces()).flatMap((of) => (of ?? []).map(({ address }) => address));
    const wanted = [
      ...gone.map((port) => ({ port, answering: [] })),
      ...[...known.values()].map((port) => ({ port, answering: answeringOf(port) })),
    ];
    try {
      const listed = await exec(["conntrack", "-L", "-f", family.toLowerCase(), "-p", "udp"], { signal });
      for (const flow of staleFlows(parseFlows(listed), wanted, addresses)) await remove(flow, signal);
    } catch (cause) {
      if (signal.aborted) throw cause;
      if (!(cause instanceof ExecError)) throw cause;
      const missing = hasCode(cause.cause, "ENOENT");
      const problem = classifyConntrackError(cause.result?.stderr ?? "");
      possible = !missing && problem.kind !== "unsupported";
      log.warn("Stale UDP flows could not be removed: clients of changed UDP Services wait until their flows time out", {
        because: missing ? "program conntrack is not installed" : problem.detail,
        cause,
      });
    }
  }

  function answeringOf(port: ServicePort): readonly Answering[] {
    if (answeredBy !== undefined) return first || port.cluster.length === 0 ? [] : [{ ip: answeredBy, port: 0 }];
    return [...port.internal, ...port.external, ...port.cluster];
  }

  async function remove({ destination, port, answers, answersPort }: Flow, signal: AbortSignal) {
    const there = ["--orig-dst", destination, "--orig-port-dst", `${port}`];
    const result = await execResult(
      ["conntrack", "-D", "-f", family.toLowerCase(), "-p", "udp", ...there, "--reply-src", answers, "--reply-port-src", `${answersPort}`],
      { signal },
    );
    if (result.code !== 0 && classifyConntrackError(result.stderr).kind !== "nothing there")
      throw new ExecError(`Cannot remove UDP flows to ${destination}: exit code ${result.code}`, result);
  }
}
