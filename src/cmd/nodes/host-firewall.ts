import { readFile } from "node:fs/promises";
import { exec, execResult } from "#base/node/exec.ts";
import { hasCode } from "#base/node/files.ts";
import { NodesError } from "./error.ts";
import type { ClusterNames } from "./names.ts";

/**
 * Hosts whose iptables drop what they forward (Docker's and ufw's do) would also drop the nodes' packets: those on the way out,
 * and, where br_netfilter is on, those between nodes. An accept in a table of ours does not help there, as any drop is final. So,
 * on such hosts alone, two rules that name the cluster's bridge go to the front of FORWARD.
 */
export function forwardRules({ bridge, owner }: ClusterNames): readonly (readonly string[])[] {
  const comment = ["-m", "comment", "--comment", owner];
  return [
    ["-i", bridge, ...comment, "-j", "ACCEPT"],
    ["-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", ...comment, "-j", "ACCEPT"],
  ];
}

/** Lets the host's iptables pass the cluster's packets, where they would be dropped. May run again. */
export async function admitBridge(names: ClusterNames, signal: AbortSignal): Promise<void> {
  const chain = await readForwardChain(signal);
  if (!chain.includes("-P FORWARD DROP")) return;
  for (const rule of forwardRules(names)) {
    if ((await execResult(["iptables", "-w", "-C", "FORWARD", ...rule], { signal })).code === 0) continue;
    await exec(["iptables", "-w", "-I", "FORWARD", "1", ...rule], { signal });
  }
}

export async function dismissBridge(names: ClusterNames, signal: AbortSignal): Promise<void> {
  for (const line of await bridgeRules(names, signal)) {
    await exec(["iptables", "-w", "-D", ...line.split(" ").slice(1)], { signal });
  }
}

/** The host's iptables rules that name the cluster's bridge, as `iptables -S` prints them. */
export async function bridgeRules(names: ClusterNames, signal: AbortSignal): Promise<readonly string[]> {
  return (await readForwardChain(signal)).filter((line) => line.startsWith("-A ") && line.split(" ").includes(names.bridge));
}

/** Empty where the host has no filter table: asking iptables would make one. */
async function readForwardChain(signal: AbortSignal): Promise<readonly string[]> {
  const [legacy, { stdout: tables }] = await Promise.all([readLegacyTables(), execResult(["nft", "list", "tables", "ip"], { signal })]);
  if (!legacy.includes("filter") && !tables.split("\n").includes("table ip filter")) return [];
  const { code, stdout, stderr } = await execResult(["iptables", "-w", "-S", "FORWARD"], { signal });
  if (code === 0) return stdout.trim().split("\n");
  // A table of that name without such a chain is not iptables': nothing there drops by policy.
  if (/No chain\/target\/match|does not exist|incompatible/.test(stderr)) return [];
  throw new NodesError(`Cannot read the host's iptables: ${stderr.trim()}`);
}

async function readLegacyTables(): Promise<readonly string[]> {
  try {
    return (await readFile("/proc/net/ip_tables_names", "utf8")).split("\n");
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return [];
    throw cause;
  }
}
