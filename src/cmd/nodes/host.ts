import { readdir } from "node:fs/promises";
import { exec, execResult } from "#base/node/exec.ts";
import { hasCode } from "#base/node/files.ts";
import type { HostState } from "./plan.ts";

interface IpLink {
  readonly ifname: string;
  readonly altnames?: readonly string[];
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[];
}

/** What this host has of namespaces, links and ranges, over all routing tables. */
export async function readHostState(signal: AbortSignal): Promise<HostState> {
  const [netns, linkText, routeText] = await Promise.all([
    readNetns(),
    exec(["ip", "-json", "address", "show"], { signal }),
    exec(["ip", "-json", "-4", "route", "show", "table", "all"], { signal }),
  ]);
  const links = (JSON.parse(linkText) as readonly Partial<IpLink>[]).flatMap(({ ifname, altnames = [], addr_info = [] }) => {
    if (ifname === undefined) return [];
    const addresses = addr_info.flatMap(({ local, prefixlen }) =>
      local === undefined || prefixlen === undefined ? [] : [{ address: local, prefix: prefixlen }],
    );
    return [{ name: ifname, altnames, addresses }];
  });
  const routes = (JSON.parse(routeText) as readonly { readonly dst?: string }[]).map(({ dst = "default" }) => dst);
  const ranges = new Set<string>();
  for (const dst of routes) if (dst !== "default") ranges.add(dst.includes("/") ? dst : `${dst}/32`);
  for (const { addresses } of links) for (const { address, prefix } of addresses) ranges.add(`${address}/${prefix}`);
  return { netns, links, ranges: [...ranges] };
}

export async function readNetns(): Promise<readonly string[]> {
  try {
    return await readdir("/run/netns");
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return [];
    throw cause;
  }
}

/** Names of the host's nftables tables of the family `inet`. */
export async function readTables(signal: AbortSignal): Promise<readonly string[]> {
  const text = await exec(["nft", "--json", "list", "tables", "inet"], { signal });
  const { nftables = [] } = JSON.parse(text) as { nftables?: readonly { table?: { name: string } }[] };
  return nftables.flatMap(({ table }) => (table === undefined ? [] : [table.name]));
}

export async function hasChain(table: string, chain: string, signal: AbortSignal): Promise<boolean> {
  return (await execResult(["nft", "list", "chain", "inet", table, chain], { signal })).code === 0;
}
