import { nodeSysctls } from "#network/render.ts";
import type { ClusterNames } from "./names.ts";
import type { HostState, NodeNetwork, NodePlace } from "./plan.ts";

/** Lines of `ip -batch` for the host: what is there already is left alone, so that running them twice does no harm. */
export function renderHostLinks(names: ClusterNames, network: NodeNetwork, state: HostState): readonly string[] {
  const links = new Set(state.links.map(({ name }) => name));
  const netns = new Set(state.netns);
  const bridge = names.bridge;
  const lines: string[] = [];
  if (!links.has(bridge)) {
    lines.push(
      `link add name ${bridge} type bridge stp_state 0 forward_delay 0`,
      `link property add dev ${bridge} altname ${names.owner}`,
      `link property add dev ${bridge} altname ${names.subnetClaim(network.subnet.slice(0, network.subnet.indexOf("/")))}`, // N2: fails if taken
    );
  }
  lines.push(`address replace ${network.hostAddress}/${prefixOf(network.subnet)} dev ${bridge}`, `link set dev ${bridge} up`);
  for (const node of network.nodes) {
    const link = names.hostLink(node.number);
    if (!netns.has(node.netns)) {
      if (links.has(link)) lines.push(`link delete dev ${link}`); // its other end went with a namespace that is gone
      lines.push(`netns add ${node.netns}`);
    } else if (links.has(link)) continue;
    lines.push(`link add name ${link} type veth peer name eth0 netns ${node.netns}`, `link set dev ${link} master ${bridge} up`);
  }
  return lines;
}

/** A shell script for the inside of a node: addresses, the way out or none, kernel settings. May run again. */
export function renderNodeScript(network: NodeNetwork, node: NodePlace, egress: boolean): string {
  const lines = ["link set dev lo up", `address replace ${node.address}/${prefixOf(network.subnet)} dev eth0`, "link set dev eth0 up"];
  if (egress) lines.push(`route replace default via ${network.hostAddress} dev eth0`);
  return [
    "set -e",
    `ip -batch - <<'END'`,
    ...lines,
    "END",
    ...(egress ? [] : ["ip route flush default"]),
    ...Object.entries(nodeSysctls).map(([name, value]) => `[ ! -e /proc/sys/${name} ] || echo ${value} > /proc/sys/${name}`),
    "",
  ].join("\n");
}

/** Name of the empty chain that remembers that this cluster switched the host's forwarding on. */
export const FORWARDING_MARK = "switched-ip-forward-on";

/**
 * The cluster's one table on the host. Without egress nothing is routed between the bridge and the rest, whatever the host
 * routes otherwise; with it, nodes go out by the host's address. Traffic among the nodes stays on the bridge and is not concerned.
 */
export function renderHostTable(names: ClusterNames, network: NodeNetwork, { egress, mark }: { egress: boolean; mark: boolean }): string {
  const { bridge, table } = names;
  const body = egress
    ? [
        "  chain forward {",
        "    type filter hook forward priority filter; policy accept;",
        `    iifname "${bridge}" accept`,
        `    oifname "${bridge}" ct state established,related accept`,
        `    oifname "${bridge}" drop`,
        "  }",
        "  chain postrouting {",
        "    type nat hook postrouting priority srcnat; policy accept;",
        `    ip saddr ${network.subnet} oifname != "${bridge}" masquerade`,
        "  }",
        ...(mark ? [`  chain ${FORWARDING_MARK} {`, "  }"] : []),
      ]
    : [
        "  chain forward {",
        "    type filter hook forward priority filter; policy accept;",
        `    iifname "${bridge}" oifname != "${bridge}" drop`,
        `    oifname "${bridge}" iifname != "${bridge}" drop`,
        "  }",
      ];
  return [`table inet ${table}`, `delete table inet ${table}`, `table inet ${table} {`, ...body, "}", ""].join("\n");
}

function prefixOf(subnet: string): string {
  return subnet.slice(subnet.indexOf("/") + 1);
}
