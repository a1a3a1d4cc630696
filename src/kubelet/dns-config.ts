import type { DnsConfig } from "#cri/contract.ts";
import type { Pod } from "#machinery/api/core-v1.ts";
import { namespaceOf } from "./names.ts";

const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_LENGTH = 2048;

export interface ClusterDns {
  readonly clusterDns: string;
  readonly clusterDomain: string;
  /** The node's own resolv.conf. */
  readonly hostResolvConf: string;
}

export function parseResolvConf(text: string): DnsConfig {
  const servers: string[] = [];
  let searches: readonly string[] = [];
  let options: readonly string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("#") || line.startsWith(";")) continue;
    const [keyword, ...words] = line.trim().split(/\s+/);
    if (keyword === "nameserver" && words[0] !== undefined) servers.push(words[0]);
    else if (keyword === "search")
      searches = words.filter((word) => word !== ".").map((word) => (word.endsWith(".") ? word.slice(0, -1) : word));
    else if (keyword === "options") options = words;
  }
  return { servers, searches, options };
}

/** https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/#pod-s-dns-policy, with upstream's limits. */
export function computeDnsConfig(pod: Pod, { clusterDns, clusterDomain, hostResolvConf }: ClusterDns): DnsConfig {
  const host = parseResolvConf(hostResolvConf);
  const base = policyConfig();
  const custom = pod.spec.dnsConfig;
  const optionTexts = (custom?.options ?? []).map(({ name = "", value }) =>
    value === undefined || value === "" ? name : `${name}:${value}`,
  );
  return limit({
    servers: unique([...base.servers, ...(custom?.nameservers ?? [])]),
    searches: unique([...base.searches, ...(custom?.searches ?? [])]),
    options: mergeOptions(base.options, optionTexts),
  });

  function policyConfig(): DnsConfig {
    const policy = pod.spec.dnsPolicy ?? "ClusterFirst";
    if (policy === "None") return { servers: [], searches: [], options: [] };
    if (policy === "Default" || (policy === "ClusterFirst" && pod.spec.hostNetwork === true)) return host;
    return {
      servers: [clusterDns],
      searches: unique([`${namespaceOf(pod)}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain, ...host.searches]),
      options: ["ndots:5"],
    };
  }
}

function limit({ servers, searches, options }: DnsConfig): DnsConfig {
  const kept: string[] = [];
  let length = 0;
  for (const search of searches.slice(0, MAX_SEARCHES)) {
    length += search.length + (kept.length > 0 ? 1 : 0);
    if (length > MAX_SEARCH_LENGTH) break;
    kept.push(search);
  }
  return { servers: servers.slice(0, MAX_NAMESERVERS), searches: kept, options };
}

/** A later option replaces an earlier one of the same name. */
function mergeOptions(base: readonly string[], custom: readonly string[]): readonly string[] {
  const byName = new Map<string, string>();
  for (const option of [...base, ...custom]) byName.set(option.split(":")[0] ?? option, option);
  return [...byName.values()];
}

const unique = (words: readonly string[]) => [...new Set(words)];
