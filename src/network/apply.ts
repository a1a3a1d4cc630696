import { readFile, writeFile } from "node:fs/promises";
import { exec, execResult } from "#base/node/exec.ts";
import { hasCode } from "#base/node/files.ts";
import type { Family } from "./cidr.ts";
import { classifyRouteError, NetworkError } from "./error.ts";
import { diffRoutes, ROUTE_PROTOCOL, type Route, type RouteChange } from "./plan.ts";
import { EGRESS_TABLE, type EgressOptions, nodeSysctls, renderEgress, renderRouteChange } from "./render.ts";

export interface ApplyOptions {
  /** Name of the network namespace to work in, as `ip netns` has it; the caller's own when absent. */
  readonly netns?: string;
  readonly signal: AbortSignal;
}

export interface RoutesApplied {
  readonly changed: number;
  /** Changes that the kernel refused, each with the reason; the others are in force. */
  readonly refused: readonly { readonly change: RouteChange; readonly because: string }[];
}

interface IpRoute {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
}

/** The routes of ours that the kernel has, in its main table. */
export async function readRoutes({ netns, signal }: ApplyOptions): Promise<readonly Route[]> {
  const read = async (family: Family): Promise<readonly Route[]> => {
    const text = await exec(ip(netns, `-${family}`, "-json", "route", "show", "table", "main", "proto", String(ROUTE_PROTOCOL)), {
      signal,
    });
    const routes = JSON.parse(text.trim() || "[]") as readonly IpRoute[];
    return routes.map(({ type, dst, gateway, dev }) => {
      const destination =
        dst === "default" ? (family === 4 ? "0.0.0.0/0" : "::/0") : dst.includes("/") ? dst : `${dst}/${family === 4 ? 32 : 128}`;
      return { family, destination, gateway, ...(type === undefined && gateway === undefined && dev !== undefined ? { device: dev } : {}) };
    });
  };
  const [four, six] = await Promise.all([read(4), read(6)]);
  return [...four, ...six];
}

/** Brings the kernel's routes of ours to `wanted`; routes of others are never touched. Does nothing where nothing differs. */
export async function applyRoutes(wanted: readonly Route[], options: ApplyOptions): Promise<RoutesApplied> {
  const changes = diffRoutes(await readRoutes(options), wanted);
  if (changes.length === 0) return { changed: 0, refused: [] };
  const { code, stderr } = await execResult(ip(options.netns, "-force", "-batch", "-"), {
    signal: options.signal,
    input: `${changes.map(renderRouteChange).join("\n")}\n`,
  });
  const refused = code === 0 ? [] : readRefusals(stderr, changes);
  if (code !== 0 && refused.length === 0) throw new NetworkError(`Cannot apply routes: ${stderr.trim() || `ip ended with code ${code}`}`);
  return { changed: changes.length - refused.length, refused };
}

/** `ip -force -batch` prints the kernel's words, then `Command failed -:<line>`, for each line that failed. */
export function readRefusals(stderr: string, changes: readonly RouteChange[]): RoutesApplied["refused"] {
  const refused: { change: RouteChange; because: string }[] = [];
  let words: string[] = [];
  for (const line of stderr.split("\n")) {
    const failed = /^Command failed -:(\d+)/.exec(line)?.[1];
    if (failed === undefined) {
      words.push(line);
      continue;
    }
    const change = changes[Number(failed) - 1];
    const said = words.join(" ").trim();
    words = [];
    const because = classifyRouteError(said);
    if (change === undefined || (change.do === "delete" && because === "no such route")) continue;
    refused.push({ change, because: because ?? said });
  }
  return refused;
}

/** Gives pods of this node a way out, or takes it away. */
export async function applyEgress(egress: EgressOptions | undefined, { netns, signal }: ApplyOptions): Promise<void> {
  const text = egress === undefined ? `table inet ${EGRESS_TABLE}\ndelete table inet ${EGRESS_TABLE}\n` : renderEgress(egress);
  const nft = ["nft", "-f", "-"] as const;
  await exec(netns === undefined ? nft : ["nsenter", `--net=/run/netns/${netns}`, ...nft], { signal, input: text });
}

/** Sets the kernel settings a node needs in the caller's own namespace. Settings this kernel does not have (no IPv6) are left out. */
export async function applySysctls(settings: Readonly<Record<string, string>> = nodeSysctls): Promise<void> {
  for (const [name, value] of Object.entries(settings)) {
    const path = `/proc/sys/${name}`;
    try {
      if ((await readFile(path, "utf8")).trim() !== value) await writeFile(path, value);
    } catch (cause) {
      if (hasCode(cause, "ENOENT") && name.startsWith("net/ipv6/")) continue;
      throw new NetworkError(
        `Cannot set ${name.replaceAll("/", ".")} to ${value}: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    }
  }
}

function ip(netns: string | undefined, ...args: readonly string[]): readonly [string, ...string[]] {
  return ["ip", ...(netns === undefined ? [] : ["-netns", netns]), ...args];
}
