import { ExecError, exec } from "#base/node/exec.ts";
import type { ServicePort } from "../service-map.ts";
import { createClaims } from "./claims.ts";
import { classifyNftError } from "./error.ts";
import { type Frame, renderFrame, renderServicePort, TABLE } from "./render.ts";
import type { Unit } from "./ruleset.ts";
import { changeScript, countUses, type ElementUses, fullScript, type UnitChange } from "./script.ts";

/**
 * Keeps one nftables table equal to a set of service ports.
 *
 * N1. Each `apply` is one kernel transaction: packets see the old rules or the new ones.
 * N2. The first `apply` replaces whatever an earlier run left; later ones send only what changed.
 * N3. When the table is not as we left it (someone changed it), the next transaction replaces it whole.
 */
export interface NftablesBackend {
  apply(
    ports: ReadonlyMap<string, ServicePort | undefined>,
    signal: AbortSignal,
  ): Promise<{ readonly bytes: number; readonly full: boolean }>;
  remove(signal: AbortSignal): Promise<void>;
}

export interface NftablesOptions {
  /** @default "navarch-proxy" */
  readonly table?: string;
  /** @default the one of ./render.ts */
  readonly base?: Unit;
}

export function createNftablesBackend(frame: Frame, { table = TABLE, base = renderFrame(frame) }: NftablesOptions = {}): NftablesBackend {
  const units = new Map<string, Unit>();
  const claims = createClaims();
  let uses: ElementUses = new Map();
  let inStep = false;

  return {
    async apply(ports, signal) {
      const changes: UnitChange[] = [];
      const rendered = [...ports].map(([key, port]) => [key, port === undefined ? undefined : renderServicePort(port, frame)] as const);
      for (const [key, after] of claims.settle(new Map(rendered))) {
        const before = units.get(key);
        if (before !== undefined || after !== undefined) changes.push({ before, after });
        if (after === undefined) units.delete(key);
        else units.set(key, after);
      }
      const incremental = inStep ? changeScript(changes, frame.family, uses, table) : undefined;
      uses = countUses(uses, changes);
      if (incremental === "") return { bytes: 0, full: false };
      inStep = false; // until the kernel has said yes
      if (incremental !== undefined) {
        try {
          await nft(incremental, signal);
          inStep = true;
          return { bytes: incremental.length, full: false };
        } catch (cause) {
          if (!(cause instanceof ExecError) || classifyNftError(cause.result?.stderr ?? "").kind !== "out of step") throw cause;
        }
      }
      const full = fullScript([base, ...units.values()], frame.family, table);
      await nft(full, signal); // N3
      inStep = true;
      return { bytes: full.length, full: true };
    },
    async remove(signal) {
      inStep = false;
      await removeNftablesTable(frame.family, table, signal);
    },
  };
}

/** Removes a table of ours, if it is there. */
export async function removeNftablesTable(family: Frame["family"], table: string, signal: AbortSignal): Promise<void> {
  await nft(`add table ${family} ${table}\ndelete table ${family} ${table}\n`, signal);
}

function nft(script: string, signal: AbortSignal): Promise<string> {
  return exec(["nft", "-f", "-"], { signal, input: script });
}
