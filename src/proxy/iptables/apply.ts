import { ExecError, exec } from "#base/node/exec.ts";
import type { Frame } from "../nftables/render.ts";
import type { ProxyBackend } from "../run.ts";
import { classifyIptablesError } from "./error.ts";
import { type IptablesUnit, renderFrame, renderServicePort } from "./render.ts";
import { changeScript, fullScript, type IptablesChange, parseRemains, removalScript } from "./script.ts";

/**
 * Keeps chains of ours equal to a set of service ports; the guarantees are those of nftables/apply.ts with one exception:
 * `apply` is one run of iptables-restore, but the kernel commits each table (nat, then filter) by itself.
 */
export function createIptablesBackend(frame: Frame): ProxyBackend {
  const units = new Map<string, IptablesUnit>();
  const base = renderFrame(frame);
  let inStep = false;

  return {
    async apply(ports, signal) {
      const changes: IptablesChange[] = [];
      for (const [key, port] of ports) {
        const before = units.get(key);
        const after = port === undefined ? undefined : renderServicePort(port, frame);
        if (before !== undefined || after !== undefined) changes.push({ before, after });
        if (after === undefined) units.delete(key);
        else units.set(key, after);
      }
      const incremental = inStep ? changeScript(base, changes) : undefined;
      if (incremental === "") return { bytes: 0, full: false };
      inStep = false; // until the kernel has said yes
      if (incremental !== undefined) {
        try {
          await restore(frame.family, incremental, signal);
          inStep = true;
          return { bytes: incremental.length, full: false };
        } catch (cause) {
          if (!(cause instanceof ExecError) || classifyIptablesError(cause.result?.stderr ?? "").kind !== "out of step") throw cause;
        }
      }
      const full = fullScript(base, [...units.values()], parseRemains(await save(frame.family, signal)));
      await restore(frame.family, full, signal);
      inStep = true;
      return { bytes: full.length, full: true };
    },
  };
}

/** Removes every rule and chain of this mode, of whatever run; other rules stay. */
export async function removeIptablesRules(family: Frame["family"], signal: AbortSignal): Promise<void> {
  const script = removalScript(parseRemains(await save(family, signal)));
  if (script !== "") await restore(family, script, signal);
}

/** Commits `script`, waiting for other programs that hold the lock. */
export function restore(family: Frame["family"], script: string, signal: AbortSignal): Promise<string> {
  return exec([`${programs(family)}-restore`, "--wait", "5", "--noflush"], { signal, input: script });
}

function save(family: Frame["family"], signal: AbortSignal): Promise<string> {
  return exec([`${programs(family)}-save`], { signal });
}

function programs(family: Frame["family"]): "iptables" | "ip6tables" {
  return family === "ip" ? "iptables" : "ip6tables";
}
