import type { Node } from "#machinery/api/core-v1.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE, UNKNOWN, wideColumn } from "../printing.ts";
import { conditionOf } from "../conditions.ts";

export const NodeKind = defineKind<Node>({
  group: "",
  version: "v1",
  kind: "Node",
  plural: "nodes",
  shortNames: ["no"],
  scope: "Cluster",
  typeName: "io.k8s.api.core.v1.Node",
  storagePrefix: "/registry/minions",
  subresources: [
    { name: "proxy", verbs: ["create", "delete", "get", "patch", "update"], kind: { group: "", version: "v1", kind: "NodeProxyOptions" } },
    STATUS,
  ],
  columns: [
    nameColumn,
    column("Status", "The status of the node", statusText),
    column("Roles", "The roles of the node", rolesText),
    ageColumn,
    column("Version", "Version of the kubelet.", ({ status }) => status?.nodeInfo?.kubeletVersion ?? ""),
    wideColumn("Internal-IP", "Address inside the cluster.", (node) => addressText(node, "InternalIP")),
    wideColumn("External-IP", "Address outside the cluster.", (node) => addressText(node, "ExternalIP")),
    wideColumn("OS-Image", "Operating system, from /etc/os-release.", ({ status }) => status?.nodeInfo?.osImage || UNKNOWN),
    wideColumn("Kernel-Version", "Version of the kernel, from uname -r.", ({ status }) => status?.nodeInfo?.kernelVersion || UNKNOWN),
    wideColumn(
      "Container-Runtime",
      "Container runtime and its version.",
      ({ status }) => status?.nodeInfo?.containerRuntimeVersion || UNKNOWN,
    ),
  ],
});

function statusText({ spec, status }: Node): string {
  const ready = conditionOf(status?.conditions, "Ready");
  const word = ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady";
  return spec?.unschedulable === true ? `${word},SchedulingDisabled` : word;
}

const ROLE_PREFIX = "node-role.kubernetes.io/";

function rolesText({ metadata }: Node): string {
  const roles = Object.entries(metadata.labels ?? {}).map(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return key.slice(ROLE_PREFIX.length);
    return key === "kubernetes.io/role" ? value : "";
  });
  return [...new Set(roles.filter((role) => role !== ""))].sort().join(",") || NONE;
}

function addressText({ status }: Node, type: string): string {
  return status?.addresses?.find((address) => address.type === type)?.address ?? NONE;
}
