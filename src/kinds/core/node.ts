import type { Node } from "#machinery/api/core-v1.ts";
import { type FieldError, forbiddenField } from "#machinery/field-error.ts";
import { defineKind, STATUS } from "../kind.ts";
import { ageColumn, column, nameColumn, NONE, UNKNOWN, wideColumn } from "../printing.ts";
import { conditionOf } from "../conditions.ts";
import { keepStatus, onlyStatus } from "../strategy.ts";
import { type Errors, same } from "../validation.ts";
import { validateCidr } from "../ip.ts";
import { validateTaints } from "./affinity-rules.ts";
import { validateQuantity, validateResourceName } from "./resources.ts";

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
  strategy: {
    default: (node) => ({
      ...node,
      spec: withPodCidrs(node.spec ?? {}),
      ...(node.status === undefined ? {} : { status: withAllocatable(node.status) }),
    }),
    prepareForCreate: (node) => ({ ...node, ...(node.status === undefined ? { status: {} } : {}) }),
    prepareForUpdate: keepStatus,
    prepareForStatusUpdate: onlyStatus,
    validate: ({ spec }) => [
      ...validateTaints(spec?.taints ?? [], "spec.taints"),
      ...(spec?.podCIDRs ?? []).flatMap((cidr, i) => validateCidr(cidr, `spec.podCIDRs[${i}]`)),
    ],
    validateUpdate: validateNodeUpdate,
    validateStatusUpdate: ({ status }) =>
      Object.entries(status?.capacity ?? {}).flatMap(([resource, amount]) => [
        ...validateResourceName(resource, `status.capacity[${resource}]`),
        ...validateQuantity(resource, amount, `status.capacity[${resource}]`),
      ]),
    fields: ({ spec }) => ({ "spec.unschedulable": String(spec?.unschedulable ?? false) }),
  },
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

function withPodCidrs(spec: Node["spec"]): Node["spec"] {
  const { podCIDR = "", podCIDRs = [] } = spec;
  if (podCIDRs.length === 0 && podCIDR !== "") return { ...spec, podCIDRs: [podCIDR] };
  const [first] = podCIDRs;
  return first === undefined || podCIDR === first ? spec : { ...spec, podCIDR: first };
}

/** What pods may use is everything, unless the kubelet says less. */
function withAllocatable(status: NonNullable<Node["status"]>): NonNullable<Node["status"]> {
  if (status.capacity === undefined || status.allocatable !== undefined) return status;
  return { ...status, allocatable: status.capacity };
}

function validateNodeUpdate({ spec: next }: Node, { spec: previous }: Node): Errors {
  const errors: FieldError[] = [];
  if ((previous.podCIDRs?.length ?? 0) > 0 && !same(next.podCIDRs, previous.podCIDRs)) {
    errors.push(forbiddenField("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'));
  }
  if ((previous.providerID ?? "") !== "" && next.providerID !== previous.providerID) {
    errors.push(forbiddenField("spec.providerID", 'node updates may not change providerID except from "" to valid'));
  }
  return errors;
}
