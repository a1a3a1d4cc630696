import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { ExecError, exec, execResult } from "#base/node/exec.ts";
import { hasCode } from "#base/node/files.ts";
import { createIptablesBackend, removeIptablesRules, restore } from "./iptables/apply.ts";
import { classifyIptablesError } from "./iptables/error.ts";
import * as iptables from "./iptables/render.ts";
import { fullScript as iptablesScript, removalScript } from "./iptables/script.ts";
import { createNftablesBackend, removeNftablesTable } from "./nftables/apply.ts";
import { classifyNftError } from "./nftables/error.ts";
import * as nftables from "./nftables/render.ts";
import type { Frame } from "./nftables/render.ts";
import { fullScript as nftablesScript } from "./nftables/script.ts";
import type { ProxyBackend } from "./run.ts";
import type { ServicePort } from "./service-map.ts";
import { createUserspaceBackend } from "./userspace/apply.ts";
import { TABLE as USERSPACE_TABLE } from "./userspace/render.ts";

/** From the best to the last resort. */
export const PROXY_MODES = ["nftables", "iptables", "userspace"] as const;
export type ProxyMode = (typeof PROXY_MODES)[number];

/** No machine that we were asked to run on can use the mode that was asked for, or any. */
export class ProxyModeError extends Error {
  override readonly name = "ProxyModeError";
}

export interface ModeDeps {
  readonly clock: Clock;
  readonly log: Log;
}

interface ModeParts {
  create(deps: ModeDeps, frame: Frame, nodeAddress: string): ProxyBackend & Partial<AsyncDisposable>;
  /** Removes every rule of this mode, of whatever run. Nothing to remove, or no program that could have made any, is success. */
  cleanup(family: Frame["family"], signal: AbortSignal): Promise<void>;
  /** Why this machine cannot run the mode; undefined when it can. Changes nothing. */
  probe(frame: Frame, signal: AbortSignal): Promise<string | undefined>;
}

const parts: Readonly<Record<ProxyMode, ModeParts>> = {
  nftables: {
    create: (_deps, frame) => createNftablesBackend(frame),
    cleanup: (family, signal) => unlessAbsent(() => removeNftablesTable(family, nftables.TABLE, signal)),
    probe: probeNftables,
  },
  iptables: {
    create: (_deps, frame) => createIptablesBackend(frame),
    cleanup: (family, signal) => unlessAbsent(() => removeIptablesRules(family, signal)),
    probe: probeIptables,
  },
  userspace: {
    create: (deps, frame, address) => createUserspaceBackend(deps, frame, { address }),
    cleanup: (family, signal) => unlessAbsent(() => removeNftablesTable(family, USERSPACE_TABLE, signal)),
    probe: probeNftables,
  },
};

/** The data plane of a mode for one family; inert until its first `apply`. Userspace must be disposed. */
export function createBackend(mode: ProxyMode, deps: ModeDeps, frame: Frame, nodeAddress: string): ProxyBackend & Partial<AsyncDisposable> {
  return parts[mode].create(deps, frame, nodeAddress);
}

/** Removes what runs in a mode left behind; other people's rules stay. */
export function cleanupMode(mode: ProxyMode, family: Frame["family"], signal: AbortSignal): Promise<void> {
  return parts[mode].cleanup(family, signal);
}

export interface ModeChoice {
  readonly mode: ProxyMode;
  /** Better modes that this machine cannot run, and why. */
  readonly passedOver: readonly { readonly mode: ProxyMode; readonly because: string }[];
}

/** The mode that was asked for, or the best one that this kernel and its programs can run. Throws ProxyModeError when there is none. */
export async function chooseMode(asked: ProxyMode | undefined, frame: Frame, signal: AbortSignal): Promise<ModeChoice> {
  const passedOver: { mode: ProxyMode; because: string }[] = [];
  for (const mode of asked === undefined ? PROXY_MODES : [asked]) {
    const because = await parts[mode].probe(frame, signal);
    if (because === undefined) return { mode, passedOver };
    passedOver.push({ mode, because });
  }
  if (asked !== undefined)
    throw new ProxyModeError(
      `Cannot use proxy mode "${asked}": ${passedOver[0]?.because ?? ""}, leave --proxy-mode out to use the best mode there is`,
    );
  throw new ProxyModeError(
    `Cannot route Services: ${passedOver.map(({ mode, because }) => `${mode}: ${because}`).join("; ")}, wanted a kernel with nf_tables`,
  );
}

/** A service port that uses every kind of rule. */
function sample(family: Frame["family"]): ServicePort {
  const ip = family === "ip" ? "192.0.2.1" : "2001:db8::1";
  const backends = [80, 81].map((port) => ({ ip, port, local: true }));
  return {
    id: "navarch/probe",
    protocol: "TCP",
    port: 80,
    clusterIP: ip,
    nodePort: 30_000,
    externalIPs: [],
    loadBalancerIPs: [ip],
    sourceRanges: [`${ip}/${family === "ip" ? 32 : 128}`],
    affinitySeconds: 60,
    internal: backends,
    external: backends,
    cluster: backends,
    internalPolicy: "Cluster",
    externalPolicy: "Local",
  };
}

async function probeNftables(frame: Frame, signal: AbortSignal): Promise<string | undefined> {
  const script = nftablesScript(
    [nftables.renderFrame(frame), nftables.renderServicePort({ ...sample(frame.family), loadBalancerIPs: [] }, frame)],
    frame.family,
    "navarch-probe",
  );
  return reasonOf(
    "nft",
    (stderr) => classifyNftError(stderr).detail,
    () => exec(["nft", "--check", "--file", "-"], { signal, input: script }),
  );
}

async function probeIptables(frame: Frame, signal: AbortSignal): Promise<string | undefined> {
  const program = frame.family === "ip" ? "iptables" : "ip6tables";
  return reasonOf(
    `${program}-restore`,
    (stderr) => classifyIptablesError(stderr).detail,
    async () => {
      const unit = iptables.renderServicePort({ ...sample(frame.family), id: "navarch/probe" }, frame);
      // Chains that nothing leads to, made and removed again: iptables-restore --test does not ask the kernel.
      const detached = { chains: [...unit.chains, ...iptables.renderFrame(frame).chains.filter((c) => PROBED.has(c.name))], shared: [] };
      const before = (await execResult([`${program}-save`], { signal })).stdout;
      if (before.includes(iptables.SERVICES)) return; // rules of this mode stand: it works
      const nothing = { chains: [], jumps: [] };
      await restore(frame.family, iptablesScript({ chains: [], shared: [] }, [detached], nothing), signal);
      await restore(
        frame.family,
        removalScript({ chains: detached.chains.map(({ table, name }) => ({ table, name })), jumps: [] }),
        signal,
      );
    },
  );
}

/** The frame's chains that a service port's chains lead to, and the one that masquerades. */
const PROBED: ReadonlySet<string> = new Set([iptables.MARK_MASQUERADE, iptables.POSTROUTING]);

/** Runs `attempt` and puts its failure into words. */
async function reasonOf(
  program: string,
  detailOf: (stderr: string) => string,
  attempt: () => Promise<unknown>,
): Promise<string | undefined> {
  try {
    await attempt();
    return undefined;
  } catch (cause) {
    if (!(cause instanceof ExecError)) throw cause;
    if (hasCode(cause.cause, "ENOENT")) return `program ${program} is not installed`;
    if (cause.result === undefined) throw cause;
    return `the kernel or ${program} refuses its rules (${detailOf(cause.result.stderr)})`;
  }
}

async function unlessAbsent(remove: () => Promise<void>): Promise<void> {
  try {
    await remove();
  } catch (cause) {
    if (!(cause instanceof ExecError) || !hasCode(cause.cause, "ENOENT")) throw cause;
  }
}
