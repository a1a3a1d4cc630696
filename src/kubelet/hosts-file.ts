import type { HostAlias, Pod } from "#machinery/api/core-v1.ts";
import { namespaceOf } from "./names.ts";

/** The longest host name the kernel takes. */
const MAX_HOSTNAME = 63;

/** spec.hostname or the pod's name, cut as upstream cuts it; a fully qualified one only when the pod asks for it. */
export function podHostname(pod: Pod, clusterDomain: string): { readonly hostname: string; readonly domain: string } {
  const { hostname, subdomain, hostnameOverride } = pod.spec;
  if (hostnameOverride !== undefined) return { hostname: hostnameOverride, domain: "" };
  const name = (hostname ?? pod.metadata.name ?? "").slice(0, MAX_HOSTNAME).replace(/[-.]+$/, "");
  const domain = subdomain === undefined ? "" : `${subdomain}.${namespaceOf(pod)}.svc.${clusterDomain}`;
  return { hostname: name, domain };
}

/** What uname answers in the pod. */
export function sandboxHostname(pod: Pod, clusterDomain: string): string {
  const { hostname, domain } = podHostname(pod, clusterDomain);
  return pod.spec.setHostnameAsFQDN === true && domain !== "" ? `${hostname}.${domain}` : hostname;
}

/** The pod's /etc/hosts, tabs and headers as upstream's. */
export function renderHostsFile(pod: Pod, podIps: readonly string[], clusterDomain: string): string {
  const { hostname, domain } = podHostname(pod, clusterDomain);
  const names = domain === "" ? hostname : `${hostname}.${domain}\t${hostname}`;
  return [
    "# Kubernetes-managed hosts file.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "fe00::\tip6-mcastprefix",
    "fe00::1\tip6-allnodes",
    "fe00::2\tip6-allrouters",
    ...podIps.map((ip) => `${ip}\t${names}`),
    ...renderAliases(pod.spec.hostAliases ?? []),
    "",
  ].join("\n");
}

/** For pods on the host's network: the node's file, marked as managed. */
export function renderHostNetworkHostsFile(pod: Pod, nodeHostsFile: string): string {
  return [
    "# Kubernetes-managed hosts file (host network).",
    nodeHostsFile.replace(/\n$/, ""),
    ...renderAliases(pod.spec.hostAliases ?? []),
    "",
  ].join("\n");
}

function renderAliases(aliases: readonly HostAlias[]): readonly string[] {
  if (aliases.length === 0) return [];
  return ["", "# Entries added by HostAliases.", ...aliases.map(({ ip, hostnames = [] }) => [ip, ...hostnames].join("\t"))];
}
